import numpy as np
import pytest

from harness.audio import Audio
from harness.chapters.ch08_higgs_engine.figures import (
    audio_arrival_steps,
    code_column_grid,
    frames_per_second_bars,
    waveform_and_spectrogram,
)
from harness.chapters.ch08_higgs_engine.verdict import judge_engine
from harness.higgs.delay import STREAM_BOS, STREAM_EOS, delay

FOUND = {"class": "HiggsAudioServeEngine", "seconds": 4.0, "device": "cpu", "steps": 120.0, "small": True}
BAD = [{"situation": "a", "serve engine": "IndexError: x", "here": "speaks"},
       {"situation": "b", "serve engine": "hangs: nothing more comes", "here": "words"}]  # fmt: skip
GOOD = [{"situation": "a", "serve engine": "speaks", "here": "speaks"}]


@pytest.mark.parametrize(
    ("found", "failures", "real", "verdict"),
    [
        (FOUND, BAD, False, "reproduced, but"),
        (FOUND, BAD, True, "reproduced, but"),
        (FOUND, GOOD, False, "reproduced, but"),
        (FOUND, GOOD, True, "reproduced"),
        ({**FOUND, "seconds": 0.0}, GOOD, True, "refuted"),
    ],
)
def test_the_verdict_follows_the_evidence(found, failures, real, verdict):
    one = judge_engine(found, failures, "random tiny weights", real, "make something")
    assert one.claim_id == "H1" and one.verdict == verdict
    assert ("noise" in one.reading and "make something" in one.reading) == (not real and found["seconds"] > 0)
    assert ("2 of them with a bare error" in one.reading) == (failures is BAD)


def test_the_figure_of_columns_counts_them():
    codes = np.arange(8 * 40).reshape(8, 40) % 1024
    figure = code_column_grid(delay(codes), STREAM_BOS, STREAM_EOS, "A clip")
    assert "8 codebooks by 49 steps" in figure.alt and "36 cells are begin of stream, 36 are end" in figure.alt
    assert code_column_grid(delay(codes[:, :3]), STREAM_BOS, STREAM_EOS, "Short").png  # nothing is left out


def test_figures_of_speed_and_streams_describe_them():
    bars = frames_per_second_bars(
        {"boson": {"1": [100.0, 120.0, 110.0]}, "native": {"1": [700.0], "8": [2000.0]}}, 25, "Speed"
    )
    assert (
        "boson, one text at a time: 110; native, one text at a time: 700; native, 8 texts at a time: 2,000" in bars.alt
    )
    streams = {"boson": {"pieces": [[0.3, 0.5], [0.6, 1.0]], "whole": [0.5, 1.0], "difference": 0.0}}
    assert "first piece after 0.30 s, the whole clip of 1.0 s after 0.50 s" in audio_arrival_steps(streams, "Audio").alt
    assert "1.0 s, peak 0.50" in waveform_and_spectrogram(Audio(np.full(24000, 0.5, np.float32), 24000), "noise").alt
