"""Tables: the numbers are the run's."""

from __future__ import annotations

import pytest

from spectramind_kit.diagnostics.tables import all_tables, failure_table, score_table, timing_table


def test_scores_are_the_official_ones(run):
    """Guards against a table that disagrees with the scorer."""
    predictions = run.judged["train, out of fold"]
    row = next(r for r in score_table(run).rows if r[0].startswith("train") and r[1] == "submitted")
    score = run.metric.score(predictions.depth, predictions.depth_mean, predictions.depth_sigma)
    assert float(row[2]) == pytest.approx(score, abs=1e-4)


def test_failures_times_and_notes_are_told(run):
    """Guards against a planet that was left out without a word."""
    rows = failure_table(run).rows
    assert any("dead file" in row[3] for row in rows) and any("not JSON" in row[3] for row in rows)
    assert ("01_light_curves", "light curves (train)", "done", "61 s", "900") in timing_table(run).rows


def test_an_empty_run_has_tables_that_say_why(tmp_path):
    """Guards against an error where there is nothing to list."""
    from spectramind_kit.diagnostics import open_run

    for table in all_tables(open_run(tmp_path)):
        assert table.rows or table.empty_because


def test_what_was_decided_is_told(run):
    """Guards against a report that does not say how far the network was trusted."""
    import json

    from spectramind_kit.diagnostics import open_run
    from spectramind_kit.diagnostics.tables import backend_table

    with open(run.root / "metrics.jsonl", "a", encoding="utf-8") as log:
        log.write(
            "\n"
            + json.dumps({"event": "network_share", "chosen": "both", "gain": 0.01, "gain_error": 0.004})
            + "\n"
        )
    rows = backend_table(open_run(run.root)).rows
    assert ("decision", "submitted", "both (the network adds +0.0100 ± 0.0040, out of fold)") in rows
