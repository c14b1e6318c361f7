"""Verdicts survive what recordings suffer: other rates, stereo, clipping, an offset, silence in front, a minute of speech."""

import numpy as np
import pytest
from scipy.signal import resample_poly

from harness.audio import Audio, read_audio
from harness.engines import SpeechRequest, make_engine
from harness.prosody.scorer import analyse, judge, score_clip
from harness.records import Arm, Verdict
from harness.tagged import Tag, TaggedText

pytest.importorskip("pocketsphinx")
pytest.importorskip("parselmouth")
ENGINE = make_engine("espeak")
SENTENCE = "We asked every customer about the {} delivery and they were happy with it"
HEARD = (Tag.EMPH, Tag.PAUSE_SHORT, Tag.PAUSE_LONG, Tag.PITCH_HIGH, Tag.PITCH_LOW)


def resampled(rate):
    return lambda audio: Audio(resample_poly(audio.samples, rate, audio.sample_rate).astype(np.float32), rate)


def clipped(audio):
    """A third of the peak is cut off: every vowel is flat on top."""
    limit = 0.67 * np.abs(audio.samples).max()
    return Audio(np.clip(audio.samples, -limit, limit), audio.sample_rate)


def offset(audio):
    return Audio(audio.samples * np.float32(0.5) + np.float32(0.2), audio.sample_rate)


def late(audio):
    return Audio(np.concatenate([np.zeros(3 * audio.sample_rate, np.float32), audio.samples]), audio.sample_rate)


DAMAGE = {"8 kHz": resampled(8_000), "48 kHz": resampled(48_000), "clipping": clipped, "offset": offset, "late": late}


def verdict(text, damage=lambda audio: audio):
    plain, tagged = (damage(ENGINE.speak(SpeechRequest(each)).audio) for each in (text.stripped(), text))
    [score] = [s for s in score_clip(text, tagged, [analyse(plain, text)]) if s.arm is Arm.TAGGED]
    return judge(score).verdict


@pytest.mark.parametrize("damage", DAMAGE)
def test_tags_are_heard_in_damaged_clips(damage):
    for tag in HEARD:
        assert verdict(TaggedText.parse(SENTENCE.format(tag.value)), DAMAGE[damage]) is Verdict.HIT, tag


def test_a_minute_of_speech_is_scored():
    sentences = [SENTENCE.format("").replace("  ", " ") + "."] * 16
    sentences[9] = SENTENCE.format("<pause_long>") + "."
    text = TaggedText.parse(" ".join(sentences))
    assert ENGINE.speak(SpeechRequest(text)).audio.seconds > 60
    assert verdict(text) is Verdict.HIT


def test_stereo_files_are_averaged(tmp_path):
    import soundfile

    text = TaggedText.parse(SENTENCE.format("<pitch_high>"))
    clip = ENGINE.speak(SpeechRequest(text)).audio
    soundfile.write(tmp_path / "s.wav", np.stack([clip.samples, clip.samples], axis=1), clip.sample_rate)
    again = read_audio(tmp_path / "s.wav")
    plain = [analyse(ENGINE.speak(SpeechRequest(text.stripped())).audio, text)]
    assert judge(score_clip(text, again, plain)[0]).verdict is Verdict.HIT


def test_how_much_of_a_word_is_voiced_is_stated():
    features = analyse(
        ENGINE.speak(SpeechRequest(TaggedText.from_plain("Many men hissed"))).audio,
        TaggedText.from_plain("Many men hissed"),
    )
    assert features.voiced_fraction[0] > 0.8 > features.voiced_fraction[2] > 0
