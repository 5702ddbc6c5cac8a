from __future__ import annotations

from spectramind_kit.simulator.__main__ import main, parser


def test_command_line(tmp_path, capsys):
    """Guards against a command that fails on its own defaults, or that hides an error's cause and exit
    status."""
    arguments = ["--out", str(tmp_path), "--train", "1", "--test", "0", "--seed", "3", "--two-visits", "0"]
    assert main(arguments) == 0
    assert str(tmp_path / "ariel-data-challenge-2025") in capsys.readouterr().out
    assert main([*arguments[:-4], "--seed", "4"]) == 1
    assert "another simulation" in capsys.readouterr().err


def test_options_have_help():
    """Guards against options that --help does not explain."""
    assert all(action.help for action in parser()._actions)
