"""Forced alignment against hand-labelled recordings and against espeak's own word times."""

import numpy as np
import pytest
from made_features import RECORDINGS, labelled, real_speech

from harness.audio import Audio, read_audio
from harness.datasets import load_examples, locate
from harness.engines import SpeechRequest, make_engine
from harness.prosody.align import AlignmentError, align
from harness.tagged import TaggedText

pytest.importorskip("pocketsphinx")
pytest.importorskip("espeakng_loader")

SENTENCE = "Please bring the heavy boxes over to the other window before noon."


def say(text, voice=None):
    return make_engine("espeak").speak(SpeechRequest(TaggedText.from_plain(text), voice))


@pytest.fixture(scope="module")
def clip():
    return say(SENTENCE).audio


def starts(audio, text=SENTENCE):
    return np.array([word.start for word in align(audio, text.split())])


@real_speech
@pytest.mark.parametrize("name", RECORDINGS)
def test_word_starts_agree_with_hand_labels(name):
    truth = labelled(name)
    words = align(read_audio(locate(f"real-speech/{name}.wav")), [text for *_, text in truth])
    error = np.abs([word.start - start for word, (start, *_) in zip(words, truth, strict=True)])
    assert np.median(error) <= 0.025
    assert np.quantile(error, 0.9) <= 0.06
    assert np.median(np.abs([word.end - end for word, (_, end, _) in zip(words, truth, strict=True)])) <= 0.03


@real_speech
def test_the_labels_do_not_fit_other_words():
    """The test above can fail: one word too few in front moves every word."""
    truth = labelled(RECORDINGS[0])
    words = align(read_audio(locate(f"real-speech/{RECORDINGS[0]}.wav")), [text for *_, text in truth][3:])
    assert np.median(np.abs([word.start - start for word, (start, *_) in zip(words, truth[:-3], strict=True)])) > 0.1


def test_word_starts_agree_with_espeak():
    errors = []
    for example in load_examples("heldout")[::8]:
        speech = say(example.tagged.plain)
        words = align(speech.audio, example.tagged.words)
        errors += [found.start - told.start for found, told in zip(words, speech.words, strict=True)][1:]
    assert len(errors) > 100
    assert np.median(np.abs(errors)) <= 0.015
    assert np.quantile(np.abs(errors), 0.9) <= 0.05


def test_one_word_time_per_word_in_order(clip):
    words = align(clip, SENTENCE.split())
    assert [word.word for word in words] == SENTENCE.split()
    edges = [edge for word in words for edge in (word.start, word.end)]
    assert edges == sorted(edges) and edges[0] >= 0 and edges[-1] <= clip.seconds
    assert all(word.end - word.start >= 0.03 for word in words)


def test_words_outside_the_dictionary():
    text = "Nobody was harbouring a grudge when it saved 30% or cost $49 today."
    speech = say(text)
    words = align(speech.audio, text.split())
    assert np.abs([w.start - told.start for w, told in zip(words, speech.words, strict=True)][1:]).max() < 0.12


def test_tokens_that_are_not_spoken_have_no_length():
    text = "— We wait - and listen …"
    words = align(say(text).audio, text.split())
    assert [word.end > word.start for word in words] == [False, True, True, False, True, True, False]
    assert words[0].end == words[1].start and words[3].start == words[2].end and words[6].start == words[5].end


def test_a_clip_aligns_the_same_whatever_came_before():
    first, second = say(SENTENCE).audio, say("A quite different and much louder one", voice="en-gb+f3").audio
    before = align(first, SENTENCE.split())
    align(Audio(second.samples * 0.1, second.sample_rate), "A quite different and much louder one".split())
    assert align(first, SENTENCE.split()) == before


def test_the_level_and_an_offset_do_no_harm(clip):
    reference = starts(clip)
    for samples in (clip.samples * 0.01, clip.samples * 0.3 + 0.4):
        assert np.abs(starts(Audio(samples.astype(np.float32), clip.sample_rate)) - reference).max() <= 0.03


@pytest.mark.parametrize("noise", [0.0, 0.0005])
def test_leading_and_trailing_silence(clip, noise):
    quiet = lambda seconds: np.zeros(int(seconds * clip.sample_rate), np.float32)  # noqa: E731
    samples = np.concatenate([quiet(4.0), clip.samples, quiet(6.0)])
    samples += noise * np.random.default_rng(1).normal(size=len(samples)).astype(np.float32)
    assert np.abs(starts(Audio(samples, clip.sample_rate)) - 4.0 - starts(clip)).max() <= 0.03


@pytest.mark.parametrize(
    ("samples", "text", "reason"),
    [
        (np.zeros(16_000, np.float32), "hello there", "silent"),
        (np.zeros(100, np.float32), "hello there", "no word so short"),
        (np.full(16_000, np.nan, np.float32), "hello there", "NaN"),
        (np.sin(np.arange(8_000)).astype(np.float32), "far too many words for half a second " * 9, "too short"),
        (np.sin(np.arange(8_000)).astype(np.float32), "- …", "speakable"),
        (np.sin(np.arange(8_000)).astype(np.float32), "", "speakable"),
    ],
)
def test_failures_say_why(samples, text, reason):
    with pytest.raises(AlignmentError, match=reason):
        align(Audio(samples, 16_000), text.split())
