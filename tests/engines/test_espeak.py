import signal
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import parselmouth
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.engines.base import SpeechRequest, make_engine
from harness.engines.dialects import DIALECTS
from harness.engines.espeak import EspeakEngine, _word_times
from harness.errors import HarnessError
from harness.phonemes import phonemes
from harness.tagged import Tag, TaggedText

VOICES = ["en-us", "en-gb", "en-us+f3"]


@pytest.fixture(scope="module")
def engine():
    return make_engine("espeak")


def say(engine, text, voice=None):
    return engine.speak(SpeechRequest(TaggedText.parse(text) if isinstance(text, str) else text, voice))


def span(speech, index):
    word, rate = speech.words[index], speech.audio.sample_rate
    return speech.audio.samples[int(word.start * rate) : int(word.end * rate)]


def f0(speech, index):
    """Median F0 of a word in semitones above 1 Hz."""
    sound = parselmouth.Sound(speech.audio.samples.astype(float), speech.audio.sample_rate)
    pitch = sound.to_pitch_ac(time_step=0.005, pitch_floor=60, pitch_ceiling=500)
    hertz, times = pitch.selected_array["frequency"], pitch.xs()
    word = speech.words[index]
    return 12 * np.log2(np.median(hertz[(times >= word.start) & (times < word.end) & (hertz > 0)]))


def level(speech, index):
    return 10 * np.log10(np.mean(span(speech, index).astype(float) ** 2))


def silence(speech, slot):
    """Length in seconds of the silence at a slot: from the last sound before it to the first after it."""
    rate = speech.audio.sample_rate
    heard = np.flatnonzero(np.abs(speech.audio.samples) > 0.002) / rate
    middle = speech.words[slot].start if slot < len(speech.words) else speech.audio.seconds
    before, after = heard[heard < middle - 0.001], heard[heard >= middle - 0.001]
    return (after[0] if len(after) else speech.audio.seconds) - (before[-1] if len(before) else 0.0)


def test_says_what_it_is(engine):
    assert engine.revision.startswith("espeak-ng 1.") and "espeakng-loader" in engine.revision
    assert engine.deterministic and engine.dialect == "ssml" and engine.default_voice == "en-us"
    assert engine.requirements.missing() == []


def test_equal_requests_give_equal_samples_whatever_was_said_between(engine):
    # flutter, breath noise, whisper and klatt voices, and one that draws from the C library's generator
    for voice in [*VOICES, "en-us+whisper", "en-us+klatt4", "en-us+caleb"]:
        first = say(engine, "We guarantee 30% savings, said the man.", voice)
        say(engine, "<pitch_high> Another <emph> sentence", "en-gb+m3")
        again = say(make_engine("espeak"), "We guarantee 30% savings, said the man.", voice)
        assert np.array_equal(first.audio.samples, again.audio.samples)
        assert first.words == again.words
    other = say(engine, "We guarantee 40% savings, said the man.")
    assert not np.array_equal(other.audio.samples, say(engine, "We guarantee 30% savings, said the man.").audio.samples)


def test_threads_say_the_same(engine):
    texts = ["One sentence.", "Quite another <emph> sentence, and longer."] * 4
    alone = [say(engine, text).audio.samples for text in texts]
    with ThreadPoolExecutor(len(texts)) as pool:
        together = pool.map(lambda text: say(engine, text).audio.samples, texts)
        assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))


@pytest.mark.parametrize("tag, seconds", [(Tag.PAUSE_SHORT, 0.4), (Tag.PAUSE_LONG, 1.0)])
@pytest.mark.parametrize("end", ["", ".", "?", ","])
def test_a_break_adds_its_length_at_every_slot(engine, tag, seconds, end):
    words = f"She said yes. He stayed, then left home{end}".split()
    plain = say(engine, TaggedText(words))
    for slot in range(len(words) + 1):
        paused = say(engine, TaggedText(words, [(slot, tag)]))
        assert silence(paused, slot) - silence(plain, slot) == pytest.approx(seconds, abs=0.05), slot
        away = (slot + 4) % len(words)
        assert silence(paused, away) - silence(plain, away) == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize("voice", VOICES)
def test_pitch_tags_move_f0_of_the_next_word_only(engine, voice):
    plain = say(engine, "They bought seven melons yesterday morning.", voice)
    high = say(engine, "They bought seven <pitch_high> melons yesterday morning.", voice)
    low = say(engine, "They bought seven <pitch_low> melons yesterday morning.", voice)
    assert 1.5 < f0(high, 3) - f0(plain, 3) < 3.5
    assert -3.5 < f0(low, 3) - f0(plain, 3) < -1.5
    for other in (2, 4, 5):
        assert abs(f0(high, other) - f0(plain, other)) < 0.5


def test_emphasis_is_louder_and_longer_and_composes_with_pitch(engine):
    plain = say(engine, "They bought seven melons yesterday morning.")
    strong = say(engine, "They bought seven <emph> melons yesterday morning.")
    both = say(engine, "They bought seven <pitch_high> <emph> melons yesterday morning.")
    assert level(strong, 3) - level(plain, 3) > 2
    assert len(span(strong, 3)) > 1.05 * len(span(plain, 3))
    assert f0(both, 3) - f0(strong, 3) > 1.5


def test_emphasis_after_a_full_stop_reaches_its_word_and_ends_with_it(engine):
    plain = say(engine, "She said yes. He went home.")
    strong = say(engine, "She said yes. <emph> He went home.")
    before = say(engine, "She said <emph> yes. He went home.")
    assert len(span(strong, 3)) > 1.2 * len(span(plain, 3))
    assert abs(level(before, 5) - level(plain, 5)) < 0.5
    assert len(span(before, 3)) == pytest.approx(len(span(plain, 3)), rel=0.02)


def test_a_question_stays_a_question_under_markup(engine):
    question, statement = say(engine, "Are you sure?"), say(engine, "Are you sure.")
    marked = say(engine, "Are you <pitch_low> sure?"), say(engine, "Are you <pitch_low> sure.")

    def rise(speech):
        hertz = parselmouth.Sound(speech.audio.samples.astype(float), 22050).to_pitch_ac().selected_array["frequency"]
        return hertz[hertz > 0][-3:].mean()

    assert rise(question) > 1.2 * rise(statement)
    assert rise(marked[0]) > 1.2 * rise(marked[1])


texts = st.lists(
    st.sampled_from(
        "We of the in 30% savings, home. — R&D <b> 'no' U.S.A. café 1,000 a I who-knows 😀 &amp; - …".split()
    ),
    min_size=1,
    max_size=9,
)


@given(texts, st.lists(st.tuples(st.integers(0, 9), st.sampled_from(list(Tag))), max_size=4))
@settings(max_examples=60)
def test_every_word_has_its_time(engine, chosen, tags):
    words = ["Well", *chosen]
    speech = say(engine, TaggedText(words, [(slot, tag) for slot, tag in tags if slot <= len(words)]))
    assert [word.word for word in speech.words] == words
    edges = [edge for word in speech.words for edge in (word.start, word.end)]
    assert edges == sorted(edges)
    assert edges[-1] <= speech.audio.seconds
    assert all(a.end == b.start for a, b in zip(speech.words, speech.words[1:], strict=False))


def test_a_long_text_takes_time_with_its_length_not_its_square(engine):
    """Each word once looked through all samples: 1,357 words took 20 s."""
    words = "One of the men read a long story aloud, and nobody listened to it.".split() * 100
    begun = time.process_time()
    speech = say(engine, TaggedText(words))
    assert time.process_time() - begun < 6
    short = say(engine, TaggedText(words[:14]))
    assert [w.start for w in speech.words[:10]] == pytest.approx([w.start for w in short.words[:10]], abs=0.05)
    assert len(speech.words) == len(words) and speech.words[-1].end == pytest.approx(speech.audio.seconds, abs=1)


def test_word_times_are_left_out_where_nobody_asks(engine, monkeypatch):
    asked = SpeechRequest(TaggedText.parse("We <emph> guarantee it"))
    expected = engine.speak(asked)
    monkeypatch.setattr("harness.engines.espeak._word_times", None)
    speech = engine.speak(replace(asked, word_times=False))
    assert speech.words is None and np.array_equal(speech.audio.samples, expected.audio.samples)
    assert len(expected.words) == 3


def test_words_that_espeak_runs_together_share_their_sound(engine):
    speech = say(engine, "One of the <pause_long> men")
    last_sound = speech.words[3].start - silence(speech, 3)
    assert speech.words[1].end - speech.words[1].start > 0.04
    assert speech.words[2].start < last_sound - 0.04  # "the" starts before the pause, not in it
    assert speech.words[3].start > last_sound + 1


def test_word_times_share_by_letters_and_never_run_backwards():
    heard = np.arange(0, 1.001, 0.01)
    shared = _word_times(("an", "only", "-", "day"), {0: 0.1, 3: 0.7}, heard[heard < 0.6])
    assert [word.start for word in shared] == pytest.approx([0.1, 0.1 + 0.49 / 3, 0.59, 0.7])
    backwards = _word_times(("a", "b", "c"), {0: 0.0, 1: 0.5, 2: 0.4}, heard)
    assert [word.start for word in backwards] == [0.0, 0.5, 0.5]
    assert [word.end for word in backwards] == [0.5, 0.5, 1.0]
    assert [word.start for word in _word_times(("-", "a"), {1: 0.3}, heard)] == pytest.approx([0.0, 0.3])


def test_word_times_agree_with_a_tag_free_reading(engine):
    speech, heard = (
        say(engine, "They bought <emph> melons."),
        say(EspeakEngine(dialect="ignore"), "They bought melons."),
    )
    assert speech.words[0].start == heard.words[0].start == 0
    assert speech.words[1].start == pytest.approx(heard.words[1].start, abs=0.03)


@pytest.mark.parametrize("text", ["R&D costs <b> more", "yes &amp; no", "AT&T said 'no' at 5<6, then left.", "a ]]> b"])
def test_escapes_are_heard_as_the_characters_they_stand_for(engine, text):
    marked = say(engine, TaggedText.from_plain(text)).audio.samples
    plain = say(EspeakEngine(dialect="ignore"), TaggedText.from_plain(text)).audio.samples
    assert len(plain) and np.array_equal(marked[: len(plain)], plain)
    assert not np.abs(marked[len(plain) :]).any()  # </speak> ends in silence


def test_text_cannot_give_espeak_orders(engine):
    for chosen in (engine, EspeakEngine(dialect="ignore")):
        for text in (["a\x01P99", "b"], ["a\x00", "b"], ["<break", "time='9s'/>", "a"], ["</speak>", "b"]):
            speech = say(chosen, TaggedText(text))
            assert speech.audio.seconds < 4
            assert speech.words[-1].end - speech.words[-1].start > 0.1


def test_ignore_says_the_words_without_tags():
    engine = EspeakEngine(dialect="ignore")
    tagged, plain = say(engine, "We <emph> guarantee <pause_long> it"), say(engine, "We guarantee it")
    assert np.array_equal(tagged.audio.samples, plain.audio.samples)
    assert DIALECTS[engine.dialect].lost(TaggedText.parse("We <emph> do")) == [(1, Tag.EMPH)]


def test_voices_and_rate_are_heard(engine):
    names = engine.voices()
    assert {"en-us", "en-gb", "en-gb-scotland", "en-us+f3", "en-gb+whisper"} <= set(names)
    assert f0(say(engine, "Morning", "en-us+f3"), 0) - f0(say(engine, "Morning", "en-us"), 0) > 6
    british = say(engine, "A bath", "en-gb").audio.samples
    assert not np.array_equal(british, say(engine, "A bath", "en-us").audio.samples)
    slow = say(EspeakEngine(rate=90), "A slow day").audio.seconds
    assert slow > 1.3 * say(EspeakEngine(rate=250), "A slow day").audio.seconds


@pytest.mark.parametrize("voice", ["en-xx", "en-us+nosuch", "en-us+../f3", ""])
def test_an_unknown_voice_is_refused_with_the_valid_ones(engine, voice):
    with pytest.raises(HarnessError, match="no voice") as error:
        make_engine("espeak", voice=voice)
    assert "en-gb" in str(error.value) and "en-us" in str(error.value) and "f3" in str(error.value)
    if voice:
        with pytest.raises(HarnessError, match="no voice"):
            say(engine, "Hello", voice)


@pytest.mark.parametrize("options", [{"rate": 10}, {"dialect": "higgs_v3"}, {"nosuch": 1}])
def test_unfit_options_are_refused(options):
    with pytest.raises(HarnessError):
        make_engine("espeak", **options)


@pytest.mark.parametrize("text", [TaggedText([]), TaggedText([], [(0, Tag.PAUSE_LONG)]), TaggedText(["…"])])
def test_text_without_sound_is_an_error_with_a_remedy(engine, text):
    with pytest.raises(HarnessError) as error:
        say(engine, text)
    assert error.value.remedy


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_what_ends_the_callback_ends_the_speaking(engine, monkeypatch, capfd, error):
    """Ctrl-C falls mostly into espeak's callback, where ctypes prints an error and goes on."""
    heard = []

    def as_array(*_):
        heard.append(1)
        if error is not KeyboardInterrupt:
            raise error
        signal.raise_signal(signal.SIGINT)
        return np.zeros(1, np.int16)

    text = " ".join(["a sentence that goes on"] * 50)
    with monkeypatch.context() as patch:
        patch.setattr(np.ctypeslib, "as_array", as_array)
        with pytest.raises(error):
            say(engine, text)
    assert len(heard) == 1 and not capfd.readouterr().err
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert say(engine, text).audio.seconds > 10


def test_phonemes():
    assert phonemes("30%").replace("ˈ", "").replace("ː", "") == "θɜɾi pɚsɛnt"
    assert phonemes("harbouring") == "hˈɑːɹbɚɹɪŋ"
    assert phonemes("Yes. No.").split() == ["jˈɛs", "nˈoʊ"]  # all clauses, not the first alone
    assert phonemes("bath", voice="en-gb") != phonemes("bath")
    assert phonemes("") == phonemes("…") == ""
    with pytest.raises(HarnessError):
        phonemes("a", voice="xx")
