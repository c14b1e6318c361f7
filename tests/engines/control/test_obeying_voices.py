"""The neural voices do what the tags say, and nothing else."""

from functools import cache

import numpy as np
import pytest
from tiny_piper import FRAMES, HOP, RATE, write_tiny_voice

from harness.engines import SpeechRequest, make_engine
from harness.engines.apart import EngineApart
from harness.engines.base import lost_tags
from harness.engines.control.graph import parts_of, piper_parts
from harness.errors import HarnessError
from harness.experiment import run, validate
from harness.prosody.align import align
from harness.prosody.features import measure
from harness.records import Outcome, Verdict
from harness.store import read_jsonl
from harness.tagged import Tag, TaggedText

PLAIN = "The new report is ready for every customer now."
SYMBOLS = list(" ,.?abcdefghijklmnopqrstuvwxyzˈˌːɪɛʌəɹɡɾʊɔɑæθðŋʃʒɜɚ")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    pytest.importorskip("piper")
    return write_tiny_voice(tmp_path_factory.mktemp("voice") / "tiny.onnx", SYMBOLS)


@cache
def engine(name, voice=None, **options):
    pytest.importorskip(name)
    return make_engine(name, dialect="controls", **({"voice": voice} if voice else {}), **options)


def say(text, name="hibari", voice=None, seed=0):
    text = TaggedText.parse(text) if isinstance(text, str) else text
    return engine(name, voice).speak(SpeechRequest(text, seed=seed))


@cache
def features(text, name):
    speech = say(text, name)
    return measure(speech.audio, speech.words)


@pytest.mark.parametrize("text", [PLAIN, "Yes.", "It is *really* good news, Dr. Smith said. 30% of us agree!"])
def test_hibari_without_tags_is_bit_identical_to_the_voice_itself(text):
    text = TaggedText.from_plain(text)
    itself = make_engine("hibari", dialect="ignore").speak(SpeechRequest(text, seed=3)).audio
    assert np.array_equal(itself.samples, say(text, seed=3).audio.samples)


def test_the_parts_of_piper_together_are_the_model(tiny):
    import onnxruntime

    feed = {"input": np.array([[1, 0, 9, 0, 12, 0, 2]]), "input_lengths": np.array([7]), "sid": np.array([1]),
            "scales": np.array([0, 1.5, 0], np.float32)}  # fmt: skip
    whole = onnxruntime.InferenceSession(str(tiny)).run(None, feed)[0]
    lengths, sound = (
        onnxruntime.InferenceSession(part) for part in parts_of(tiny, piper_parts, ["lengths", "sound"]).values()
    )
    noise = np.ones((1, 2, 7), np.float32)
    exact = lengths.run(None, feed | {"length_noise": noise})[0]
    assert exact.reshape(-1) == pytest.approx([7.5, 1.5, 7.5, 1.5, 7.5, 1.5, 7.5])
    frames = np.ceil(exact)
    told = feed | {"durations": frames, "sound_noise": np.ones((1, 6, int(frames.sum())), np.float32)}
    assert np.array_equal(sound.run(None, told)[0], whole)


def test_any_voice_of_piper_can_be_told_lengths(tiny):
    plain, unit = say("We go home now", "piper", str(tiny)), FRAMES * HOP / RATE
    longer = say("We <pause_long> go home now", "piper", str(tiny))
    # A comma is inserted (a phoneme and its pad), and lengthened by the pause less the gap that a comma is expected to make.
    assert longer.audio.seconds - plain.audio.seconds == pytest.approx(1.0 - 0.25 + unit + HOP / RATE, abs=0.011)
    moved = [b.start - a.start for a, b in zip(plain.words, longer.words, strict=True)]
    assert moved[0] == 0 and moved[1:] == pytest.approx([0.81] * 3, abs=0.011)
    lasts = [say(text, "piper", str(tiny)).words[2] for text in ("We go home now", "We go <emph> home now")]
    assert 1.2 < (lasts[1].end - lasts[1].start) / (lasts[0].end - lasts[0].start) < 1.7
    one, other = (say("We go", "piper", str(tiny), seed=seed).audio.samples for seed in (1, 2))
    assert not np.array_equal(one, other) and np.array_equal(
        one, say("We go", "piper", str(tiny), seed=1).audio.samples
    )


@pytest.mark.parametrize("name", ["hibari", "piper"])
def test_each_tag_is_heard_where_it_is(name):
    def change(cue, place, text):
        return getattr(features(text, name), cue)[place] - getattr(features(PLAIN, name), cue)[place]

    words = PLAIN.split()

    def tagged(tag, slot):
        return " ".join([*words[:slot], tag, *words[slot:]])

    assert change("f0", 6, tagged("<pitch_high>", 6)) > 3
    assert change("f0", 6, tagged("<pitch_low>", 6)) < -2
    assert change("pause", 4, tagged("<pause_short>", 4)) == pytest.approx(0.4, abs=0.12)
    assert change("pause", 4, tagged("<pause_long>", 4)) == pytest.approx(1.0, abs=0.15)
    assert change("pause", 0, tagged("<pause_short>", 0)) == pytest.approx(0.4, abs=0.03)
    assert change("log_duration", 2, tagged("<emph>", 2)) > 0.2
    assert change("intensity", 2, tagged("<emph>", 2)) > 1
    assert features(tagged("<pitch_rising>", 3), name).final_movement[8] > 3
    assert features(tagged("<pitch_falling>", 3), name).final_movement[8] < -3
    for cue, untouched in (("f0", 1), ("intensity", 1)):  # another seed of Piper would change these by 1 or 2
        assert abs(change(cue, untouched, tagged("<pitch_high>", 6))) < 1.5


@pytest.mark.parametrize("name", ["hibari", "piper"])
def test_word_times_come_from_the_voice_and_agree_with_the_aligner(name):
    speech = say(PLAIN, name)
    found = align(speech.audio, PLAIN.split())
    assert [word.word for word in speech.words] == PLAIN.split()
    starts = np.array([[own.start, other.start] for own, other in zip(speech.words, found, strict=True)])
    assert np.median(np.abs(starts[:, 0] - starts[:, 1])) < 0.03


@pytest.mark.parametrize("text", [
    "<emph> Yes.", "<pause_long> <pitch_rising> Yes. <pause_short>", "Yes. <emph>", "<pitch_high> <pitch_low> Hmm.",
    "It <emph> 🚀 works", "東京 <pitch_falling> works", "We <emph> - go", "No! <pitch_rising> <pause_short> Yes?",
])  # fmt: skip
def test_odd_places_are_spoken(text):
    text = TaggedText.parse(text)
    speech = say(text)
    assert [word.word for word in speech.words] == list(text.words)
    ends = [time for word in speech.words for time in (word.start, word.end)]
    assert ends == sorted(ends) and ends[-1] <= speech.audio.seconds + 0.05


def test_a_minute_of_text_is_spoken_at_once_and_every_tag_acts(tiny):
    text = TaggedText.parse(" ".join(f"{PLAIN[:-1]} <pause_long> and" for _ in range(16)))
    for name, voice in (("hibari", None), ("piper", str(tiny))):
        speech = say(text, name, voice)
        plain = say(text.stripped(), name, voice)
        assert speech.audio.seconds > 40 and len(speech.words) == 160
        assert speech.audio.seconds - plain.audio.seconds == pytest.approx(16, abs=4)


def test_what_a_voice_cannot_do_is_lost_with_the_reason():
    text = TaggedText.parse("<emph> 🚀 We <pitch_high> <pitch_low> go <emph>")
    wanted = {
        (0, Tag.EMPH): "the voice does not say the word '🚀'",
        (2, Tag.PITCH_HIGH): "<pitch_low> in the same place asks for the opposite",
        (3, Tag.EMPH): "no word follows the tag",
    }
    assert lost_tags(engine("hibari"), text) == wanted
    with EngineApart("hibari", {}) as apart:
        assert lost_tags(apart, text) == wanted
    deaf = make_engine("hibari", dialect="ignore")
    assert set(lost_tags(deaf, text).values()) == {"the dialect has no such tag"}


def test_a_voice_without_lengths_is_one_clear_error(tmp_path):
    pytest.importorskip("piper")
    path = write_tiny_voice(tmp_path / "untimed.onnx", SYMBOLS, timed=False)
    with pytest.raises(HarnessError, match=r"phones of this voice cannot be timed.*dialect=ignore") as caught:
        say("We go", "piper", str(path))
    assert "untimed.onnx" in str(caught.value)
    assert make_engine("piper", voice=str(path)).speak(SpeechRequest(TaggedText.parse("We go"))).audio.seconds > 0.2


@pytest.mark.parametrize("writable", [True, False])
def test_parts_are_made_once_if_they_can_be_kept(tiny, tmp_path, monkeypatch, writable):
    folder = tmp_path / "cache"
    if not writable:
        folder.write_text("a file where the folder should be")
    monkeypatch.setenv("HARNESS_CACHE", str(folder))
    calls = []

    def cut(model):
        calls.append(model)
        return {"a": b"1", "b": b"2"}

    for _ in range(2):
        assert parts_of(tiny, cut, ["a", "b"]) == {"a": b"1", "b": b"2"}
    assert len(calls) == (1 if writable else 2)


def test_a_run_counts_such_tags_apart_and_goes_on(tmp_path):
    pytest.importorskip("hibari")
    (tmp_path / "texts.jsonl").write_text(
        '{"id": "a", "text": "We launch <emph> 🚀 it <pause_long> today."}\n', "utf-8"
    )
    fields = {"name": "odd", "sentences": str(tmp_path / "texts.jsonl"), "engines": ["hibari"], "timeout": None,
              "plain_repeats": 1, "placebo": False, "check_leaks": False}  # fmt: skip
    run(validate(fields), tmp_path / "run", jobs=1)
    outcomes = {outcome.tag: outcome for outcome in read_jsonl(tmp_path / "run" / "outcomes.jsonl", Outcome)}
    assert outcomes[Tag.EMPH].verdict is Verdict.NOT_EXPRESSIBLE
    assert outcomes[Tag.EMPH].reason == "the voice does not say the word '🚀'"
    assert outcomes[Tag.PAUSE_LONG].verdict is Verdict.HIT
