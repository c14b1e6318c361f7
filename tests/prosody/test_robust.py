"""Verdicts are the same in imperfect recordings: other rates, clipping, an offset, leading silence, a minute of speech."""

import numpy as np
import pytest
from helpers import say
from scipy.signal import resample_poly

from harness.audio import Audio
from harness.prosody.scorer import analyse, analyse_tagged, judge, score_clip
from harness.records import Verdict
from harness.tagged import Tag, TaggedText

pytest.importorskip("pocketsphinx")
pytest.importorskip("parselmouth")
SENTENCE = "We asked every customer about the {} delivery and they were happy with it"
HEARD = (Tag.EMPH, Tag.PAUSE_LONG, Tag.PITCH_LOW)


def resampled(rate):
    return lambda audio: Audio(resample_poly(audio.samples, rate, audio.sample_rate).astype(np.float32), rate)


def clipped(audio):
    """Cut off a third of the peak, so that every vowel is flat on top."""
    limit = 0.67 * np.abs(audio.samples).max()
    return Audio(np.clip(audio.samples, -limit, limit), audio.sample_rate)


def offset(audio):
    return Audio(audio.samples * np.float32(0.5) + np.float32(0.2), audio.sample_rate)


def late(audio):
    return Audio(np.concatenate([np.zeros(3 * audio.sample_rate, np.float32), audio.samples]), audio.sample_rate)


DAMAGE = {"8 kHz": resampled(8_000), "48 kHz": resampled(48_000), "clipping": clipped, "offset": offset, "late": late}


def verdict(text, damage=lambda audio: audio):
    plain, tagged = (damage(say(each)) for each in (text.stripped(), text))
    features, intruded = analyse_tagged(tagged, text, text.tags)
    [score] = score_clip(text, features, [analyse(plain, text)], intruded=intruded, placebo=False)
    return judge(score).verdict


@pytest.mark.parametrize("damage", DAMAGE)
def test_tags_are_heard_in_damaged_clips(damage):
    for tag in HEARD:
        assert verdict(TaggedText.parse(SENTENCE.format(tag.value)), DAMAGE[damage]) is Verdict.HIT, tag


def test_a_minute_of_speech_is_scored():
    sentences = [SENTENCE.format("").replace("  ", " ") + "."] * 16
    sentences[9] = SENTENCE.format("<pause_long>") + "."
    text = TaggedText.parse(" ".join(sentences))
    assert say(text).seconds > 60
    assert verdict(text) is Verdict.HIT
