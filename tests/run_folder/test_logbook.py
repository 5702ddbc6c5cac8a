"""One JSON object a line, readable after a kill."""

from __future__ import annotations

import json

import numpy as np

from spectramind_kit.run_folder.logbook import Logbook, read_logbook


def test_it_survives_a_cut_line(tmp_path):
    """Guards against a run killed in the middle of a line whose log nobody can read."""
    path, told = tmp_path / "m.jsonl", []
    Logbook(path, stage="x").write("score", value=np.float32(0.5), bad=float("nan"), array=np.arange(2))
    with open(path, "a") as lines:
        lines.write('\n"text"\n' + json.dumps({"event": "score"})[:7])
    (record,) = read_logbook(path, tell=told.append)
    assert (record["value"], record["bad"], record["array"]) == (0.5, None, [0, 1])
    assert told == ["1 lines of m.jsonl are not JSON and were skipped"]


def test_events_of_one_kind_in_their_order(tmp_path):
    """Guards against a learning curve with the lines of other events in it."""
    book = Logbook(tmp_path / "sub" / "m.jsonl", stage="train")
    for number, event in enumerate(("epoch", "stage", "epoch")):
        book.write(event, number=number)
    assert [record["number"] for record in read_logbook(book.path, event="epoch")] == [0, 2]
    assert {record["stage"] for record in read_logbook(book.path)} == {"train"}


def test_no_log_is_told(tmp_path):
    """Guards against a report without a learning curve that does not say why."""
    told = []
    assert read_logbook(tmp_path / "m.jsonl", tell=told.append) == [] and "no learning curve" in told[0]
