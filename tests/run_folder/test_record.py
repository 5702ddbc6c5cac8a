"""What a stage says about itself is kept, said once, and never costs the run."""

from __future__ import annotations

from spectramind_kit.errors import PlanetFailure
from spectramind_kit.run_folder.json_file import read_json


def test_failures_add_up_within_a_run_and_are_gone_in_the_next(open_run):
    """Guards against the last chunk of planets hiding what broke in the first, and against blaming a mended
    file."""
    run = open_run()
    run.failures("anchor", [PlanetFailure(7, "broken")])
    run.failures("anchor", [PlanetFailure(8, "broken")])
    assert [e["planet_id"] for e in read_json(run.root / "run.json")["stages"]["train"]["failed_anchor"]] == [
        7,
        8,
    ]
    assert "failed_anchor" not in read_json(open_run().root / "run.json")["stages"]["train"]


def test_a_backend_is_said_once(open_run, capsys):
    """Guards against the same line for every fold."""
    run = open_run()
    for _ in range(3):
        run.backend("scan", "torch")
    assert capsys.readouterr().out.count("scan: torch") == 1
    assert read_json(run.root / "run.json")["backends"] == {"scan": "torch"}


def test_a_finding_is_said_once_and_kept(open_run, capfd):
    """Guards against the same line for every chunk of planets, and against a finding that nobody can look
    up."""
    run = open_run()
    for _ in range(2):
        run.tell("t.csv: a row twice")
    run.tell("t.csv: another")
    assert capfd.readouterr().out.count("a row twice") == 1
    assert read_json(run.root / "run.json")["stages"]["train"]["findings"] == [
        "t.csv: a row twice",
        "t.csv: another",
    ]


def test_a_full_disk_costs_the_record_and_not_the_run(open_run, monkeypatch, capfd):
    """Guards against 03_submit, which must not raise once its fallback is written."""
    run = open_run()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("spectramind_kit.whole_file.os.replace", full)
    monkeypatch.setattr(run.logbook, "write", full)
    with run.step("a step"):
        run.record_stage(planets=5)
        run.tell("a finding")
        run.failures("anchor", [PlanetFailure(7, "broken")])
    run.close()
    said = capfd.readouterr().out
    assert (
        said.count("run.json cannot be written") == 1 and said.count("metrics.jsonl cannot be written") == 1
    )
    assert "a finding" in said and "planet 7: broken" in said and "None" not in said
    assert not list(run.root.glob("*.part*"))


def test_flagged_visits_are_kept_and_said_once(open_run, capfd):
    """Guards against a visit that lost a sensor, is used with the other, and is named nowhere."""
    run = open_run()
    flags = {(k, 0): ["FGS1 missing: the file cannot be decoded"] for k in range(12)}
    for _ in range(2):
        run.flagged("light_curves_test", flags)
    said = capfd.readouterr().out
    assert said.count("flagged: planet 3 visit 0: FGS1 missing") == 1 and "and 2 more, see run.json" in said
    kept = read_json(run.root / "run.json")["stages"][run.stage]["flagged_light_curves_test"]
    assert len(kept) == 12 and kept[11] == {"planet_id": 11, "visit": 0, "flags": flags[11, 0]}


def test_ten_failures_are_named_and_the_others_counted(open_run, capsys):
    """Guards against a thousand lines for one table that is broken, and against a run.json that has ten."""
    run = open_run()
    run.failures("anchor", [PlanetFailure(k, "broken", visit=k % 2) for k in range(13)])
    said = capsys.readouterr().out
    assert said.count("left out: planet") == 10 and "left out: planet 9 visit 1: broken" in said
    assert "… and 3 more, see run.json" in said and len(run.stages()["train"]["failed_anchor"]) == 13
    run.failures("quiet", [PlanetFailure(1, "said before")], show=False)
    assert "said before" not in capsys.readouterr().out


def test_an_error_that_the_stage_survives_is_said_and_kept(open_run, capsys):
    """Guards against a part that is missing from the result without a reason."""
    run = open_run()
    run.went_wrong("network", "the network is left out", RuntimeError("out of memory"))
    assert "the network is left out: RuntimeError: out of memory" in capsys.readouterr().out
    assert run.stages()["train"]["network_failed"] == "RuntimeError: out of memory"
