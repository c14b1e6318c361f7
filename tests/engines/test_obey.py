"""Engines made to obey by an edit of their sound."""

import numpy as np
import pytest
from helpers import command

from harness.audio import Audio
from harness.engines import SpeechRequest, make_engine
from harness.engines.apart import EngineApart
from harness.engines.base import ENGINES, check_engine, lost_tags, speak
from harness.engines.control.stretch import stretch
from harness.engines.control.voice import add_pauses
from harness.engines.inputs import read_input
from harness.engines.obey import EDIT_DOSES
from harness.errors import HarnessError
from harness.experiment.spec import validate
from harness.prosody.align import alignment
from harness.prosody.detectors import DETECTORS
from harness.prosody.scorer import analyse, difference
from harness.records import WordTime
from harness.registry import own_source
from harness.tagged import Tag, TaggedText

PLAIN = "The committee never approved our proposal in the first meeting."
SLOTS = {Tag.PITCH_RISING: 9, Tag.PITCH_FALLING: 9}


@pytest.fixture(scope="module")
def engine():
    return make_engine("obey:espeak", dialect="ignore")


@pytest.fixture(scope="module")
def plain(engine):
    return analyse(engine.speak(SpeechRequest(TaggedText.parse(PLAIN))).audio, TaggedText.parse(PLAIN))


def test_obey_takes_the_name_options_and_voices_of_the_engine_inside(engine, monkeypatch, tmp_path):
    check_engine(engine, "obey:espeak")
    inside = make_engine("espeak")
    assert engine.name == "obey:espeak" and engine.dialect == "edit" and engine.deterministic
    assert engine.voices() == inside.voices() and engine.revision.startswith(inside.revision)
    assert ENGINES.option_types("obey:piper") == ENGINES.option_types("piper")
    assert ENGINES.inside("obey:a.b:C") == "a.b:C" and ENGINES.inside("a.b:C") == ENGINES.inside("obey") == ""
    assert own_source("obey:a.b:C") is None
    for name, said in (("obey", "as in obey:piper"), ("obey:parrot", "no engine is called 'parrot'")):
        with pytest.raises(HarnessError, match=said):
            make_engine(name)
    with pytest.raises(HarnessError, match="does not take these options"):
        make_engine("obey:espeak", colour=1)
    asked = {"name": "x", "engines": [{"name": "obey:openai_speech"}]}
    assert validate(asked).timeout is None, "it has time limits of its own, inside obey too"


def test_plain_text_is_not_touched(engine):
    inside = make_engine("espeak", dialect="ignore")
    request = SpeechRequest(TaggedText.parse(PLAIN))
    assert np.array_equal(engine.speak(request).audio.samples, inside.speak(request).audio.samples)


@pytest.mark.parametrize("tag", list(Tag))
def test_each_tag_is_heard_where_it_was_put(engine, plain, tag):
    text = TaggedText(TaggedText.parse(PLAIN).words, [(SLOTS.get(tag, 5), tag)])
    audio = engine.speak(SpeechRequest(text)).audio
    detector = DETECTORS[tag]
    value = difference(detector.cue, text, analyse(audio, text), [plain], text.tags[0][0])
    floor = detector.floor
    assert value <= -floor if tag in (Tag.PITCH_LOW, Tag.PITCH_FALLING) else value >= floor


def test_a_pause_leaves_the_rest_as_it_was(engine):
    text = TaggedText.parse(PLAIN.replace("approved", "<pause_long> approved"))
    before = engine.speak(SpeechRequest(text.stripped())).audio.samples
    after = engine.speak(SpeechRequest(text)).audio
    added = len(after.samples) - len(before)
    assert added == pytest.approx(EDIT_DOSES.pause_long * after.sample_rate, abs=2)
    same = after.samples[:4000]
    assert np.array_equal(same, before[:4000]) and np.array_equal(after.samples[-4000:], before[-4000:])
    times = engine.speak(SpeechRequest(text)).words
    assert [word.word for word in times] == list(text.words) and times[3].start - times[2].end > 0.9


def test_a_pause_is_not_put_on_the_other_side_of_a_short_word():
    rate, words = 16000, [("hours", 0.0, 0.5), ("a", 0.5, 0.53), ("week", 0.53, 1.0)]
    samples = np.full(rate, 0.1, np.float32)
    samples[int(0.495 * rate) : int(0.505 * rate)] = 0.001  # quiet, but before the "a"
    times = [WordTime(word=word, start=start, end=end) for word, start, end in words]
    after = add_pauses(Audio(samples, rate), times, {2: 1.0}).audio.samples
    assert np.abs(after[int(0.62 * rate) : int(1.4 * rate)]).max() < 0.01
    assert after[int(0.507 * rate)] == pytest.approx(0.1), "the word before the pause is whole"


def test_tags_without_a_word_are_lost_with_a_reason(engine):
    text = TaggedText.parse("Go - <emph> — now <emph>")
    lost = lost_tags(engine, text)
    assert {slot for slot, _ in lost} == {2, 4} and all(lost.values())
    nothing = TaggedText.parse("Go now <emph>")
    assert np.array_equal(
        engine.speak(SpeechRequest(nothing)).audio.samples,
        engine.speak(SpeechRequest(nothing.stripped())).audio.samples,
    )
    one = engine.speak(SpeechRequest(TaggedText.parse("<pause_short> <emph> Go! <pause_long>"))).audio
    assert one.seconds > 1.5


def test_an_engine_that_says_nothing_or_something_else_is_one_error():
    tagged = TaggedText.parse("We <emph> guarantee savings of thirty percent")
    for name, said in (("Silent", "returned silence"), ("Elsewhere", "something else|were not found")):
        inside = make_engine(f"obey:obey_inside:{name}")
        with pytest.raises(HarnessError, match=said):
            inside.speak(SpeechRequest(tagged))
        inside.speak(SpeechRequest(tagged.stripped()))  # nothing to edit


def test_the_engine_inside_gets_the_words_alone():
    wrapped = make_engine("obey:obey_inside:Told", pace=200)
    wrapped.speak(SpeechRequest(TaggedText.parse("We <emph> guarantee it")))
    assert wrapped._engine.texts == ["We guarantee it"] and wrapped._engine.pace == 200


def test_sizes_of_ssml_are_obeyed(engine, plain):
    text, targets = read_input(
        PLAIN.replace("approved", '<break time="300ms"/><prosody pitch="+3st">approved</prosody>'), "ssml"
    )
    features = analyse(engine.speak(SpeechRequest(text, targets=targets)).audio, text)
    pause = difference(DETECTORS[Tag.PAUSE_SHORT].cue, text, features, [plain], 3)
    pitch = difference(DETECTORS[Tag.PITCH_HIGH].cue, text, features, [plain], 3)
    assert pause == pytest.approx(0.3, abs=0.06) and pitch == pytest.approx(3, abs=0.8)
    slow, targets = read_input(f'<prosody rate="50%">{PLAIN}</prosody>', "ssml")
    seconds = engine.speak(SpeechRequest(slow.stripped())).audio.seconds
    assert engine.speak(SpeechRequest(slow, targets=targets)).audio.seconds == pytest.approx(2 * seconds, rel=0.15)
    with pytest.raises(HarnessError, match="takes tags only, in its dialect 'ssml'"):
        speak(make_engine("espeak"), SpeechRequest(slow, targets=targets), "espeak")


def test_stretching_moves_what_follows_and_keeps_the_samples_around_it():
    rate = 16000
    times = np.arange(2 * rate) / rate
    audio = Audio((0.3 * np.sign(np.sin(2 * np.pi * 120 * times))).astype(np.float32), rate)
    spans = [(0.2, 0.5), (0.5, 0.8), (1.2, 1.4)]
    longer, moved = stretch(audio, spans, [1.0, 1.5, 1.0])
    assert longer.seconds == pytest.approx(2.15, abs=0.01)
    assert moved[0] == spans[0] and moved[1] == pytest.approx((0.5, 0.95), abs=0.01)
    assert moved[2] == pytest.approx((1.35, 1.55), abs=0.012)
    assert np.array_equal(longer.samples[: int(0.46 * rate)], audio.samples[: int(0.46 * rate)])
    assert np.array_equal(longer.samples[-rate:], audio.samples[-rate:])
    same, _ = stretch(audio, spans, [1.0, 1.0, 1.0])
    assert np.array_equal(same.samples, audio.samples)
    shorter, _ = stretch(audio, spans, [0.5, 0.5, 0.5])
    assert shorter.seconds == pytest.approx(1.6, abs=0.02)


def test_phones_of_a_word_are_its_time(engine):
    text = TaggedText.parse("We guarantee - 30% savings")
    audio = engine.speak(SpeechRequest(text)).audio
    words, phones, _ = alignment(audio, text.words)
    assert phones[2] == [] and [one.phone for one in phones[1]][:2] == ["G", "EH"]
    for word, own in zip(words, phones, strict=True):
        if own:
            assert (own[0].start, own[-1].end) == pytest.approx((word.start, word.end))


def test_it_runs_in_a_child_process_as_under_serve_and_run():
    text = TaggedText.parse("We <emph> guarantee it <emph>")
    with EngineApart("obey:espeak", {"rate": 200}) as apart:
        direct = make_engine("obey:espeak", rate=200)
        assert np.array_equal(
            apart.speak(SpeechRequest(text)).audio.samples, direct.speak(SpeechRequest(text)).audio.samples
        )
        assert apart.name == "obey:espeak" and lost_tags(apart, text) == lost_tags(direct, text)


def test_one_word_may_misfit(engine):
    assert engine.speak(SpeechRequest(TaggedText.parse("<emph> hmm <pitch_rising>"))).audio.seconds > 0.2


def test_say_with_obey(tmp_path):
    done = command("say", "--obey", "We <emph> guarantee it <pitch_high>", "-o", tmp_path / "a.wav")
    assert done.returncode == 0, done.stderr.decode()
    assert b"no word follows the tag" in done.stdout
    report = command("doctor", "--json").stdout.decode()
    assert "an edit, not a voice that obeys" in report
