"""The notebooks as a reader runs them: through papermill, small, and what the pages then show."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest

from spectramind_kit.notebook import run_notebook

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[1]
PIPELINE = ("01_light_curves", "02_train", "03_submit", "04_diagnostics", "05_your_model")
OWN = "model.fgs1_encoder={_target_: __main__.MyEncoder}"
SMALL = ["train.folds=2", "train.epochs=1", "train.warm_start_epochs=0"]


@pytest.fixture(scope="module")
def executed(tmp_path_factory) -> dict[str, nbformat.NotebookNode]:
    """All of them on eight train and two test planets; 02_train with the encoder that it defines."""
    from spectramind_kit.simulator import simulate_competition

    root = tmp_path_factory.mktemp("notebooks")
    simulated = simulate_competition(root / "sky", n_train=8, n_test=2, seed=7, cadence="reduced", jobs=2)
    shared = {"data_dir": str(simulated.data_dir), "work_dir": str(root / "run"), "profile": "smoke"}
    special = {
        "02_train": {"overrides": [*SMALL, OWN]},
        "04_diagnostics": {"truth": str(simulated.truth_path)},
        "05_your_model": {"simulated": 4},
    }
    pages = {}
    for name in PIPELINE:
        parameters = {**shared, "overrides": SMALL, **special.get(name, {})}
        path = run_notebook(
            ROOT / f"notebooks/{name}.ipynb", root / "run" / f"{name}.ipynb", parameters=parameters
        )
        pages[name] = nbformat.read(path, as_version=4)
    return pages


def outputs(page: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [output for cell in page.cells for output in cell.get("outputs", [])]


def printed(page: nbformat.NotebookNode) -> str:
    return "".join(output.get("text", "") for output in outputs(page))


@pytest.mark.parametrize("name, figures", list(zip(PIPELINE, (5, 2, 0, 11, 0))))
def test_every_figure_has_its_caption(executed, name, figures):
    """Guards against pictures that only the report explains: on the page, as on Kaggle, the caption stands
    under each."""
    from nbconvert import HTMLExporter

    shown = [output.get("data", {}) for output in outputs(executed[name])]
    html, _ = HTMLExporter().from_notebook_node(executed[name])
    text = re.sub(r"<[^>]+>", "", html)
    after_pictures = [after for before, after in zip(shown, [*shown[1:], {}]) if "image/png" in before]
    assert len(after_pictures) == figures and html.count("<img") == figures
    for data in after_pictures:
        caption = data.get("text/markdown", "")
        assert len(caption) > 60 and "could not be drawn" not in caption, caption
        assert " ".join(caption.split()[:3]) in text


def test_an_encoder_of_the_notebook_is_trained(executed):
    """Guards against a class of the notebook that the training never sees, or that a worker has to import."""
    said = printed(executed["02_train"])
    table = next(
        o.data["text/plain"] for o in outputs(executed["02_train"]) if "fusion" in str(o.get("data"))
    )
    assert "MyEncoder" in table and re.search(r"fold 1: score -?\d", said) and "direct" in said


def test_a_network_whose_class_is_nowhere_costs_the_network_alone(executed):
    """Guards against a failed submission where 03_submit does not know the class of 02_train."""
    said = printed(executed["03_submit"])
    assert "the network is left out" in said and "MyEncoder" in said
    table = next(
        o.data["text/plain"] for o in outputs(executed["03_submit"]) if "comes_from" in str(o.get("data"))
    )
    assert table.count("the physics fit (anchor)") == 2


def test_a_model_of_ones_own_is_scored_beside_the_others(executed):
    """Guards against a page that trains and compares nothing."""
    data = outputs(executed["05_your_model"])[-1].data["text/plain"]
    assert all(name in data for name in ("anchor", "the network as shipped", "yours", "gain_error"))
    said = printed(executed["05_your_model"])
    assert "not begun with shipped weights: fgs1_encoder" in said and "epoch 4: held-out score" in said
