"""Long recordings: bounded memory, right times, and an error where the text does not fit."""

import json
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest

from harness.audio import Audio, write_wav
from harness.datasets import load_examples
from harness.engines import SpeechRequest, make_engine
from harness.prosody import features, stretches
from harness.prosody.align import AlignmentError, align
from harness.prosody.leak import align_and_listen
from harness.records import WordTime
from harness.tagged import Tag, TaggedText

pytest.importorskip("pocketsphinx")
pytest.importorskip("espeakng_loader")


def say(words, **options):
    return make_engine("espeak", **options).speak(SpeechRequest(TaggedText(words)))


def joined(*speeches, gap=0.0):
    """Return one clip of several speeches with silence between them, and the words with their true starts."""
    parts, words, starts, now = [], [], [], 0.0
    for speech in speeches:
        parts += [speech.audio.samples, np.zeros(int(gap * 22050), np.float32)]
        words += [word.word for word in speech.words]
        starts += [word.start + now for word in speech.words]
        now += speech.audio.seconds + int(gap * 22050) / 22050
    return Audio(np.concatenate(parts), 22050), words, np.array(starts)


def errors(audio, words, starts):
    times = align(audio, words)
    assert [time.word for time in times] == words
    edges = [edge for time in times for edge in (time.start, time.end)]
    assert edges == sorted(edges) and edges[-1] <= audio.seconds
    return np.abs([time.start for time in times] - starts)


@pytest.fixture(scope="module")
def parts():
    """Three passages of some 20 s."""
    sentences = [example.tagged.words for example in load_examples("train")[:18]]
    return [say([word for words in sentences[at : at + 6] for word in words]) for at in (0, 6, 12)]


@pytest.fixture
def small(monkeypatch):
    """Windows so small that a clip of 40 s is a long one."""
    for module in ("stretches", "leak"):
        monkeypatch.setattr(f"harness.prosody.{module}.LONG", 10.0)
    monkeypatch.setattr(stretches, "WINDOW", 20.0)
    monkeypatch.setattr(stretches, "LARGEST_WINDOW", 80.0)


CHILD = """
import json, sys
from pathlib import Path
from harness.audio import read_audio
from harness.prosody.align import align
words = json.loads(Path(sys.argv[2]).read_text())
times = align(read_audio(sys.argv[1]), words)
status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())  # getrusage counts the parent's, too
print(json.dumps([[time.start for time in times], int(status["VmHWM"].split()[0])]))
"""


def test_memory_is_bounded_and_the_times_are_those_of_the_engine(parts, tmp_path):
    """In one piece, 180 s took more than 1 GB."""
    audio, words, starts = joined(*parts, *parts, *parts)
    assert audio.seconds > 150
    write_wav(tmp_path / "long.wav", audio)
    (tmp_path / "words.json").write_text(json.dumps(words))
    command = [sys.executable, "-c", CHILD, tmp_path / "long.wav", tmp_path / "words.json"]
    found, kilobytes = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert np.median(np.abs(found - starts)) <= 0.015
    assert np.quantile(np.abs(found - starts), 0.9) <= 0.06
    assert kilobytes < 400_000


def test_a_long_silence_does_no_harm(small, parts):
    audio, words, starts = joined(*parts[:2], gap=100.0)
    found = errors(audio, words, starts)
    assert np.median(found) <= 0.015 and found.max() < 0.7


def test_every_word_is_in_one_stretch_and_none_is_long(small, parts):
    audio, words, _ = joined(*parts)
    words = ["—", *words[:20], "-", *words[20:], "…"]
    cut = stretches.stretches(audio, words)
    assert [word for part in cut for word in part.words] == words
    assert [part.first for part in cut] == list(np.cumsum([0, *(len(part.words) for part in cut[:-1])]))
    assert len(cut) >= 4 and all(part.sound.seconds <= stretches.LONGEST + 2 * stretches.QUIET for part in cut)
    assert all(a.start + a.sound.seconds <= b.start + 0.01 for a, b in pairwise(cut))


def test_speech_without_pauses_is_cut_between_words(small):
    words = "we saw the old man take a small boat over to the island and he sang all day".split() * 8
    speech = say(words, rate=300)
    assert np.quantile(errors(speech.audio, words, np.array([word.start for word in speech.words])), 0.9) < 0.12


def test_music_at_the_start_is_passed_over(small, parts):
    audio, words, starts = joined(*parts[:2])
    times = np.arange(25 * 22050) / 22050
    notes = 220 * 2 ** (np.random.default_rng(0).integers(0, 24, 50) / 12)
    music = 0.15 * np.exp(-4 * (times % 0.5)) * np.sin(2 * np.pi * np.repeat(notes, 11025) * times)
    found = errors(Audio(np.concatenate([music.astype(np.float32), audio.samples]), 22050), words, starts + 25)
    assert np.median(found) <= 0.02 and np.mean(found > 1) < 0.1


@pytest.mark.parametrize("wrong", ["other words", "words beyond the end"])
def test_a_text_that_does_not_fit_is_an_error_with_its_place(small, parts, wrong):
    audio, words, _ = joined(*parts[:2])
    more = [word.word for word in parts[2].words]
    text = more * 2 if wrong == "other words" else words + more
    with pytest.raises(
        AlignmentError, match=r"does not fit the audio from [\d.]+ of [\d.]+ s on, where word \d+ \('"
    ) as caught:
        align(audio, text)
    assert "belong together" in caught.value.remedy


@pytest.mark.parametrize(
    ("samples", "text", "reason"),
    [
        (np.zeros(70 * 8000, np.float32), "hello there", "silent"),
        (np.full(70 * 8000, np.nan, np.float32), "hello there", "NaN"),
        (np.sin(np.arange(70 * 8000)).astype(np.float32), "- …", "speakable"),
        (np.sin(np.arange(70 * 8000)).astype(np.float32), "far too many words for a minute " * 400, "too short"),
    ],
)
def test_failures_of_long_clips_say_why(samples, text, reason):
    with pytest.raises(AlignmentError, match=reason):
        align(Audio(samples, 8000), text.split())


def test_tags_read_aloud_are_found_at_their_slots(small, parts):
    words = [word.word for word in parts[0].words]
    at = len(words) // 2
    aloud = say([*words[:at], "pitch", "high", *words[at:]])
    asked = [(2, Tag.EMPH), (at, Tag.PITCH_HIGH), (len(words) - 2, Tag.PAUSE_LONG)]
    heard = align_and_listen(aloud.audio, words, asked)
    assert heard.leaked == {(at, Tag.PITCH_HIGH)} and not heard.other
    starts = [word.start for word in (*aloud.words[:at], *aloud.words[at + 2 :])]
    assert np.median(np.abs([time.start for time in heard.words] - np.array(starts))) <= 0.02


def test_features_do_not_depend_on_the_blocks(parts, monkeypatch):
    audio, words = parts[0].audio, parts[0].words
    whole = features.measure(audio, words)
    monkeypatch.setattr(features, "BLOCK", 5.0)
    blocks = features.measure(audio, words)
    assert blocks.pause == pytest.approx(whole.pause) and blocks.intensity == pytest.approx(whole.intensity)
    assert np.nanquantile(np.abs(blocks.f0 - whole.f0), 0.9) < 0.3
    assert (np.diff(blocks.track_times) > 0).all() and len(blocks.track_hz) == pytest.approx(
        len(whole.track_hz), abs=10
    )


def test_features_of_many_words_take_linear_time():
    rng = np.random.default_rng(0)
    audio = Audio(rng.normal(0, 0.1, 8000 * 600).astype(np.float32), 8000)
    words = [WordTime(word="a", start=at / 5, end=at / 5 + 0.15) for at in range(2990)]
    found = features.measure(audio, words)
    assert len(found.pause) == 2991 and found.intensity == pytest.approx(np.full(2990, -20), abs=1)
