"""The two models of listeners, compared with their own code."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from helpers import say

from harness.audio import Audio, resample
from harness.engines import SpeechRequest, make_engine
from harness.errors import DataError
from harness.prosody.listeners import judge, load_listener
from harness.prosody.listeners.emphases import checkpoint, mels
from harness.records import WordTime
from harness.tagged import TaggedText

TEXTS = (
    "We guarantee <emph> thirty percent savings.",
    "Is it <pitch_rising> so?",
    "No, <pause_long> not before tomorrow, sir.",
)


def spoken(text):
    speech = make_engine("espeak").speak(SpeechRequest(TaggedText.parse(text)))
    return Audio(resample(speech.audio.samples, speech.audio.sample_rate, 16000), 16000), speech.words


def test_emphases_gives_what_its_own_code_gives(boson_python, tmp_path):
    clips, arrays = [spoken(text) for text in TEXTS], {}
    for number, (audio, words) in enumerate(clips):
        bounds = np.array([[int(w.start * 16000 / 160) for w in words], [int(w.end * 16000 / 160) for w in words]])
        arrays |= {f"clip{number}": audio.samples, f"bounds{number}": bounds}
    np.savez(tmp_path / "clips.npz", **arrays)
    script = Path(__file__).with_name("_emphases_reference.py")
    package = checkpoint().parents[2]
    subprocess.run([boson_python, script, package, tmp_path], check=True, timeout=300)
    theirs = np.load(tmp_path / "judged.npz")
    for number, (audio, words) in enumerate(clips):
        assert mels(audio).numpy() == pytest.approx(theirs[f"mels{number}"], abs=1e-4)
        scores = judge(load_listener("emphases"), audio, words)
        assert scores == pytest.approx(theirs[f"scores{number}"], abs=1e-4)
        assert scores.min() > 0 and scores.max() < 1


def test_a_token_without_sound_has_no_prominence_and_changes_none():
    audio, words = spoken(TEXTS[0])
    listener = load_listener("emphases")
    dash = WordTime(word="-", start=words[0].end, end=words[0].end)
    scores = judge(listener, audio, [words[0], dash, *words[1:]])
    assert np.isnan(scores[1]) and np.delete(scores, 1) == pytest.approx(judge(listener, audio, words))


@pytest.mark.parametrize(("times", "said"), [
    ([(0, 0.5), (0.4, 0.9)], "out of order"),
    ([(0, 0.5), (0.5, 9)], r"the words end at 9\.00 s"),
    ([(0.5, 0.5)], "no word with a length"),
    ([], "no word with a length"),
])  # fmt: skip
def test_word_times_that_do_not_fit_are_refused(times, said):
    words = [WordTime(word="a", start=start, end=end) for start, end in times]
    with pytest.raises(DataError, match=said):
        judge(load_listener("emphases"), Audio(np.full(16000, 0.1, np.float32), 16000), words)


@pytest.mark.parametrize("seconds", [0.4, 6.9, 11])
def test_distillmos_gives_what_its_own_code_gives_at_any_level(seconds):
    import torch
    from distillmos import ConvTransformerSQAModel

    sound = say("We guarantee thirty percent savings, sir. " * 6)
    samples = resample(sound.samples, sound.sample_rate, 16000)[: int(seconds * 16000)]
    listener = load_listener("distillmos")
    [score] = judge(listener, Audio(samples, 16000), [])
    with torch.inference_mode():
        theirs = ConvTransformerSQAModel().eval()(torch.from_numpy(samples.copy())[None])
    assert score == pytest.approx(theirs.item(), abs=1e-4) and 1 < score < 5
    assert judge(listener, Audio(samples / 30, 16000), [])[0] == pytest.approx(score, abs=1e-3)


def test_a_silent_clip_is_not_judged():
    with pytest.raises(DataError, match="silent"):
        judge(load_listener("distillmos"), Audio(np.zeros(16000, np.float32), 16000), [])
