"""What every figure shares."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from spectramind_kit.diagnostics.figures import style


@pytest.fixture
def figure_and_axis():
    return style.new_figure(3.0)


def test_a_caption_is_one_line_with_its_fields_filled(figure_and_axis):
    """Guards against line breaks of the source in the report, and an error with braces that breaks it."""
    figure = style.captioned(
        figure_and_axis[0], "\nMean over\n{visits} visits:  {why}.\n", visits=3, why="{x}"
    )
    assert figure.caption == "Mean over 3 visits: {x}."
    with pytest.raises(KeyError):
        style.captioned(figure, "{missing}")


def test_all_figures_are_of_one_width():
    """Guards against letters of another size in the report."""
    wide, axes = style.new_figure(2.0, 1, 3)
    assert len(axes) == 3 and wide.get_size_inches()[0] == style.empty_figure("no run").get_size_inches()[0]
    assert wide.get_size_inches()[1] == 2.0


def test_an_empty_figure_says_why(texts):
    """Guards against a white picture."""
    figure = style.empty_figure("the run holds no predictions")
    assert "the run holds no predictions" in texts(figure).replace("\n", " ")
    assert figure.caption == "Empty: the run holds no predictions"


def test_plural_follows_the_count():
    """Guards against "1 planets" and "0 planet"."""
    assert [style.counted(n, "planet") for n in (0, 1, 2)] == ["0 planets", "1 planet", "2 planets"]


def test_one_colour_means_one_thing():
    """Guards against "test planets" in the blue of "submitted", and folds in the orange of the anchor."""
    meaning = [*style.COLOURS.values()]
    assert len(set(meaning)) == len(meaning) and not set(meaning) & set(style.SERIES)
    sets = style.set_colours(["test, against truth", "train, out of fold"])
    assert [*sets.values()] == [style.COLOURS["test"], style.COLOURS["train"]]
    assert style.set_colours(["train, out of fold"]) == {"train, out of fold": style.COLOURS["train"]}


def test_figures_name_their_colours():
    """Guards against a figure with a colour of its own, which would mean something else elsewhere."""
    for path in Path(style.__file__).parent.glob("*.py"):
        own = re.findall(r"#[0-9a-fA-F]{6}|\"C\d\"|\"tab:", path.read_text(encoding="utf-8"))
        assert not own or path.name == "style.py", (path.name, own)


def test_shades_are_distinct_and_hold_the_colour_itself():
    """Guards against folds that cannot be told apart, and a single fold in another hue."""
    assert style.shades("network", 1) == [style.COLOURS["network"].lower()]
    several = style.shades("network", 5)
    assert len(set(several)) == 5 and several[2] == style.COLOURS["network"].lower()


def test_minus_signs_are_minus_signs():
    """Guards against hyphens in front of numbers."""
    assert [style.number(v, "+.1f") for v in (-0.26, 2.0)] == ["−0.3", "+2.0"]


def test_a_notebook_shows_the_caption_under_the_picture(figure_and_axis, tmp_path, monkeypatch):
    """Guards against a figure in a notebook that nobody explains, and a caption whose signs become markup."""
    display = pytest.importorskip("IPython.display")
    shown = []
    monkeypatch.setattr(display, "display", shown.append)
    figure = style.captioned(figure_and_axis[0], "Score of *one* planet, model_a.")
    figure.path = tmp_path / "made.png"
    figure.savefig(figure.path)
    figure._ipython_display_()
    assert [type(one).__name__ for one in shown] == ["Image", "Markdown"]
    assert (
        shown[0].data == figure.path.read_bytes() and shown[1].data == r"Score of \*one\* planet, model\_a."
    )


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (3, 70, ["5", "10", "20", "50"]),
        (0.04, 0.3, ["0.05", "0.1", "0.2"]),
        (1, 1e4, ["1", "10", "100", "1000", "10000"]),
    ],
)
def test_logarithmic_ticks_are_plain_numbers_inside_the_limits(figure_and_axis, low, high, expected):
    """Guards against an axis of powers of ten, or without a single tick."""
    _, axis = figure_and_axis
    axis.set(xscale="log", yscale="log", xlim=(low, high), ylim=(high, low))
    style.plain_log_ticks(axis)
    for along in (axis.xaxis, axis.yaxis):
        assert along.get_major_formatter().format_ticks(along.get_majorticklocs()) == expected
        assert len(along.get_minorticklocs()) == 0


def test_rows_are_named_from_the_top(figure_and_axis):
    """Guards against names that stand beside another row's bar."""
    _, axis = figure_and_axis
    axis.barh([0, 1, 2], [1, 2, 3])
    style.name_rows(axis, ["a", "b", "c"], fontsize=7)
    low, high = axis.get_ylim()
    assert low > high and [(t.get_position()[1], t.get_text()) for t in axis.get_yticklabels()] == [
        (0, "a"),
        (1, "b"),
        (2, "c"),
    ]


def test_a_legend_below_hides_no_data(figure_and_axis):
    """Guards against a legend over the curves."""
    figure, axis = figure_and_axis
    axis.plot([0, 1], [0, 1], label="curve")
    style.legend_below(axis, 0.3)
    figure.canvas.draw()
    assert axis.get_legend().get_window_extent().y1 < axis.get_window_extent().y0


def test_panels_are_lettered_in_front_of_their_titles():
    """Guards against a letter that replaces the title."""
    _, axes = style.new_figure(3.0, 1, 2)
    axes[1].set_title("by band", loc="left")
    style.label_panels(axes)
    assert [axis.get_title(loc="left").strip() for axis in axes] == ["(a)", "(b) by band"]
