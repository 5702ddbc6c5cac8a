"""03_submit on three planets without frames."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd

from spectramind_kit.inference import submit
from spectramind_kit.run_folder.json_file import read_json
from spectramind_kit.submission import read_submission, submission_columns, validate_submission

PLANETS = [11, 5, 300]
STAR = "planet_id,Rs,Ms,Ts,Mp,e,P,sma,i\n" + "".join(f"{p}.0,1,1,5800,1,0,4,10,89\n" for p in PLANETS)


def write_sample(run, planets):
    """A sample_submission.csv of these planets."""
    frame = pd.DataFrame(0.5, index=range(len(planets)), columns=submission_columns())
    frame.assign(planet_id=[float(p) for p in planets]).to_csv(
        run.data_dir / "sample_submission.csv", index=False
    )


def transit(depth):
    """A light curve that shows this depth."""
    time = np.linspace(0, 7.5, 187)
    flux = 1e7 * (1 - depth * np.clip((1.6 - np.abs(time - 3.7)) / 0.4 + 0.5, 0, 1))
    return SimpleNamespace(time=time, white_airs=flux, visit=0, planet_id=0)


def rows(run):
    """03_submit's cells; the planets of the CSV."""
    planets = submit.write_fallback(run)
    submit.write_prediction(run, submit.predict_test(run, planets))
    frame = read_submission(run.root / "submission.csv")
    validate_submission(frame, planets)
    return frame["planet_id"].tolist()


def findings(run):
    """What the stage has told."""
    return " | ".join(read_json(run.root / "run.json")["stages"]["submit"].get("findings", []))
