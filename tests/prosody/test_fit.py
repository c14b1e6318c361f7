"""How well a text fits a clip: the right text, a wrong one, and one that is right in part."""

import json

import pytest
from helpers import command

from harness.engines import SpeechRequest, make_engine
from harness.prosody.align import align
from harness.prosody.fit import DOUBTFUL, clip_fit
from harness.tagged import TaggedText

SAID = "Our customers in Chicago save a lot of money every year."
WRONG = "The weather on the other side of the island was cold."
HALF = "Our customers in Chicago save the other side of the island."


@pytest.fixture(scope="module")
def clip():
    return make_engine("piper").speak(SpeechRequest(TaggedText.parse(SAID))).audio


@pytest.mark.parametrize(("text", "low", "high"), [(SAID, 0.9, 1.0), (WRONG, 0.0, 0.5), (HALF, 0.3, DOUBTFUL)])
def test_the_share_of_fitting_words_tells_texts_apart(clip, text, low, high):
    assert low <= clip_fit(clip, align(clip, text.split())) <= high


def test_of_a_long_recording_only_some_passages_are_examined(clip, monkeypatch):
    from harness.prosody import fit

    examined = []
    monkeypatch.setattr(fit, "EXAMINED", 1.0)
    monkeypatch.setattr(fit, "PASSAGE", 0.5)
    monkeypatch.setattr(
        fit, "word_fits", lambda samples, words: examined.append(words) or fit.np.zeros((len(words), 4))
    )
    words = align(clip, SAID.split())
    assert clip_fit(clip, words) == 1.0
    assert 1 < sum(map(len, examined)) < len(words) / 2


def test_align_reports_the_fit_and_warns_of_a_wrong_text(tmp_path, clip):
    from harness.audio import write_wav

    write_wav(tmp_path / "x.wav", clip)
    right = command("align", str(tmp_path / "x.wav"), "--text", SAID, "--json")
    assert json.loads(right.stdout)["fit"] >= 0.9 and b"warning" not in right.stderr
    wrong = command("align", str(tmp_path / "x.wav"), "--text", WRONG, "--force")
    assert wrong.returncode == 0 and b"warning: only" in wrong.stderr
    assert b"of them fit the sound" in wrong.stdout
