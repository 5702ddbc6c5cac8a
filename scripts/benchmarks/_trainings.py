"""Every way to train on the planets of one world, and what each is worth; for worker processes."""

from __future__ import annotations

from _direct import from_scratch, train
from _worlds import anchored_training, measured_world, stack_scores

from spectramind_kit.training.pretrained import load_pretrained

FEW = 60  # train planets of the quick profile
SCRATCH_EPOCHS, FINE_TUNE_EPOCHS, ANCHORED_EPOCHS = 16, 12, 8


def trainings_of(name: str, seed: int, n_train: int, n_test: int, epochs: int) -> dict[str, float]:
    """Scores of one seed of a world. ``epochs`` 0: as many as the module says."""
    known = measured_world(name, seed, n_train, n_test)
    planets, test, metric = known.train.planets, known.test.planets, known.metric
    scores = stack_scores(known)
    anchor, shipped = scores["anchor"], scores["direct"]
    start = load_pretrained()
    tuning = (f"train.epochs={epochs or FINE_TUNE_EPOCHS}",)
    tuned, _ = train(planets, test, metric, seed=seed, start=start, overrides=tuning)
    few, _ = train(planets[:FEW], test, metric, seed=seed, start=start)
    overrides = from_scratch(epochs or SCRATCH_EPOCHS)
    scratch, _ = train(planets, test, metric, seed=seed, overrides=overrides)
    return {
        "anchor_score": anchor,
        "direct_score": shipped,
        "direct_over_anchor": shipped / anchor,
        "tuned_score": tuned.held_out_score,
        "tuned_over_anchor": tuned.held_out_score / anchor,
        "scratch_score": scratch.held_out_score,
        "few_score": few.held_out_score,
        "few_minus_shipped": few.held_out_score - shipped,
        **anchored_training(known, seed=seed, epochs=epochs or ANCHORED_EPOCHS),
    }
