"""Every way to train on the planets of one world, and what each is worth; for worker processes."""

from __future__ import annotations

from _direct import train
from _worlds import anchored_training, measured_world, stack_scores

FEW = 60  # train planets of the quick profile
SCRATCH_EPOCHS, FINE_TUNE_EPOCHS, ANCHORED_EPOCHS = 16, 12, 8


def trainings_of(name: str, seed: int, n_train: int, n_test: int, epochs: int) -> dict[str, float]:
    """Scores of one seed of a world. ``epochs`` 0: as many as the module says."""
    known = measured_world(name, seed, n_train, n_test)
    planets, test, metric = known.train, known.test, known.metric
    scores = stack_scores(known)
    anchor, shipped = scores["anchor"], scores["direct"]
    tuned = train(
        planets,
        test,
        metric,
        seed=seed,
        start=True,
        overrides=(f"train.epochs={epochs or FINE_TUNE_EPOCHS}",),
    )[0].held_out_score
    few = train(planets[:FEW], test, metric, seed=seed, start=True)[0].held_out_score
    n = epochs or SCRATCH_EPOCHS
    scratch_settings = (
        f"train.epochs={n}",
        "train.learning_rate=3e-3",
        "train.warm_start_epochs=0",
        f"loss.mean_first={0.3 * n}",
        "loss.mean_pull_limit=0.1",
    )
    scratch = train(planets, test, metric, seed=seed, start=False, overrides=scratch_settings)[
        0
    ].held_out_score
    return {
        "anchor_score": anchor,
        "direct_score": shipped,
        "direct_over_anchor": shipped / anchor,
        "tuned_score": tuned,
        "tuned_over_anchor": tuned / anchor,
        "scratch_score": scratch,
        "few_score": few,
        "few_minus_shipped": few - shipped,
        **anchored_training(known, seed=seed, epochs=epochs or ANCHORED_EPOCHS),
    }
