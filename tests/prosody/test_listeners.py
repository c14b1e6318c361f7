"""Listeners: the registry, the check of what a listener returns, and the models."""

import numpy as np
import pytest

from harness.audio import Audio
from harness.errors import DataError, HarnessError
from harness.prosody.listeners import judge, load_listener, register_listener
from harness.records import WordTime
from harness.registry import Requirements

RATE = 16000


def half_loud():
    """One second of noise whose second half is twice as loud, and its words."""
    samples = np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32)
    samples[RATE // 2 :] *= 2
    words = [WordTime(word=w, start=s, end=e) for w, s, e in (("a", 0, 0.5), ("-", 0.5, 0.5), ("b", 0.5, 1))]
    return Audio(samples, RATE), words


def test_the_dummy_scores_the_level_of_each_word():
    audio, words = half_loud()
    assert judge(load_listener("dummy"), audio, words) == pytest.approx([0.1, np.nan, 0.2], rel=0.03, nan_ok=True)


def odd(unit="word", scores=(0.5,), error=None):
    class Odd:
        name, revision = "odd", "1"
        requirements = Requirements()

        def judge(self, audio, words):
            if error:
                raise error
            return np.array(scores)

    Odd.unit = unit
    return Odd


@pytest.mark.parametrize(("made", "said"), [
    (odd(), r"'odd' returned scores of shape \(1,\), expected \(3,\)"),
    (odd("clip", [1, 2]), r"shape \(2,\), expected \(1,\)"),
    (odd("clip", [np.inf]), "infinite score"),
    (odd(error=ValueError("no")), "the listener 'odd' failed: ValueError: no"),
    (odd("line"), "has the unit 'line'"),
])  # fmt: skip
def test_a_listener_is_checked(made, said):
    register_listener("odd")(made)
    with pytest.raises(HarnessError, match=said):
        judge(load_listener("odd"), *half_loud())


def test_what_a_listener_refuses_stays_a_data_error():
    register_listener("odd")(odd(error=DataError("too short")))
    with pytest.raises(DataError, match=r"^too short$"):
        judge(load_listener("odd"), *half_loud())


def test_a_listener_that_lacks_something_is_not_loaded():
    lame = odd()
    lame.requirements = Requirements(packages=("no_such_package",))
    register_listener("odd")(lame)
    with pytest.raises(HarnessError, match="'odd' lacks package no_such_package"):
        load_listener("odd")
    with pytest.raises(HarnessError, match="no listener is called 'nobody'"):
        load_listener("nobody")
