from __future__ import annotations

from itertools import product

import pytest

from spectramind_kit.simulator import streams
from spectramind_kit.simulator.streams import planet_generator


def test_every_planet_and_purpose_has_a_stream_of_its_own():
    """Guards against planets, splits or purposes that share their numbers."""
    keys = list(product((1, 2), ("train", "test"), range(5), (0, 1, 9, 10, 11, 20, 21)))
    drawn = {planet_generator(s, split, k, purpose=p).integers(2**62) for s, split, k, p in keys}
    assert len(drawn) == len(keys)


def test_purposes_of_two_visits_do_not_meet():
    """Guards against a second visit whose stream is another purpose's first."""
    per_visit = (streams.VISIT, streams.DETECTOR, streams.LIGHT_CURVE, streams.MAPS)
    used = [streams.ORBIT, streams.SPECTRUM, streams.VISIT_COUNT, *(p + v for p in per_visit for v in (0, 1))]
    assert len(set(used)) == len(used)


def test_an_unknown_split_is_refused():
    """Guards against a misspelt split that draws another sky without a word."""
    with pytest.raises(ValueError, match="not in tuple"):
        planet_generator(1, "tset", 0, purpose=0)
