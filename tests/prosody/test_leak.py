"""Tags read aloud are found; pauses and stress at the same place are not mistaken for them."""

import random

import numpy as np
import pytest
from helpers import say
from made_features import JFK, real_speech

from harness.audio import read_audio
from harness.datasets import load_examples, locate
from harness.errors import DataError
from harness.prosody.align import AlignmentError, align
from harness.prosody.leak import align_and_listen, names_heard, spoken_forms
from harness.tagged import TAGS, Tag, TaggedText

pytest.importorskip("pocketsphinx")
pytest.importorskip("espeakng_loader")

EXAMPLES = [example.tagged.stripped() for example in load_examples("heldout")[::9]]


def spoken_tags(audio, words, candidates):
    heard = align_and_listen(audio, words, candidates)
    assert heard.other == set()
    return heard.leaked


def read_aloud(text, slot, words):
    return say(TaggedText([*text.words[:slot], *words, *text.words[slot:]]))


def some_slot(text, seed):
    return random.Random(seed).randrange(1, len(text.words))


@pytest.mark.parametrize("tag", TAGS, ids=lambda tag: tag.bare)
def test_names_read_aloud_are_found_and_told_apart(tag):
    """All seven tags are candidates at the slot; only the spoken one is found."""
    for number, text in enumerate(EXAMPLES[:3]):
        slot = some_slot(text, number)
        form = spoken_forms(tag)[number % 2]
        clip = read_aloud(text, slot, form)
        assert spoken_tags(clip, text.words, [(slot, other) for other in TAGS]) == {(slot, tag)}, (text.plain, form)


def test_the_quick_search_is_silent_only_if_no_name_was_said():
    text = EXAMPLES[0]
    every = [(slot, tag) for slot in (2, 4) for tag in TAGS]
    assert not names_heard(say(text), text.words, every)
    assert names_heard(read_aloud(text, 4, spoken_forms(Tag.PAUSE_LONG)[0]), text.words, every)


@pytest.mark.parametrize("said", ["honestly", "really", "you know", "million", "basically", "at the end of the day"])
def test_other_words_at_a_slot_are_no_leak(said):
    """Whichever name comes nearest to them, it fits much worse than the words of the sentence."""
    text = TaggedText.from_plain("We guarantee thirty percent savings today.")
    clip = say(TaggedText([text.words[0], *said.split(), *text.words[1:]]))
    for tag in TAGS:
        heard = align_and_listen(clip, text.words, [(1, tag)])
        assert heard.leaked == set() and heard.other <= {1}, tag


@pytest.mark.parametrize(
    ("text", "slot", "said"),
    [
        ("We guarantee that your savings will grow this year.", 1, "absolutely"),
        ("We guarantee that your savings will grow this year.", 1, "definitely"),
        ("The plan includes support at every hour of the day.", 2, "absolutely"),
    ],
)
def test_the_rest_of_a_longer_word_is_not_hidden_in_a_pause(text, slot, said):
    words = text.split()
    heard = align_and_listen(say(TaggedText([*words[:slot], said, *words[slot:]])), words, [(slot, Tag.EMPH)])
    assert heard.leaked == set() and heard.other == {slot}


def test_a_name_is_found_between_pauses():
    text = TaggedText.from_plain("Remember where you stood a year ago? Forty complaints a week, and now you get three.")
    assert spoken_tags(read_aloud(text, 7, ("pause", "long")), text.words, [(7, Tag.PAUSE_LONG)]) == {
        (7, Tag.PAUSE_LONG)
    }


def test_an_abbreviation_that_is_said_in_full_is_no_leak():
    clip = say("Our annual recurring revenue grew again.")
    for tag in TAGS:
        assert align_and_listen(clip, ["Our", "ARR", "grew", "again."], [(2, tag)]).leaked == set(), tag


def test_pauses_stress_and_pitch_are_not_mistaken_for_names():
    for number, text in enumerate(EXAMPLES[::3]):
        slot = some_slot(text, number)
        for tag in (Tag.PAUSE_SHORT, Tag.PAUSE_LONG, Tag.EMPH, Tag.PITCH_HIGH, Tag.PITCH_LOW):
            clip = say(TaggedText(text.words, [(slot, tag)]))
            assert spoken_tags(clip, text.words, [(slot, tag)]) == set(), (text.plain, tag)


def test_plain_clips_hold_no_names():
    for number, text in enumerate(EXAMPLES):
        candidates = [(random.Random(number + k).randrange(len(text.words) + 1), tag) for k, tag in enumerate(TAGS)]
        assert spoken_tags(say(text), text.words, candidates) == set(), text.plain


def test_the_slot_matters():
    text = EXAMPLES[0]
    clip = read_aloud(text, 5, ["emph"])
    assert spoken_tags(clip, text.words, [(2, Tag.EMPH), (5, Tag.EMPH)]) == {(5, Tag.EMPH)}


@pytest.mark.parametrize("slot", [0, 4])
def test_a_name_at_either_end_and_two_at_one_slot(slot):
    text = TaggedText.from_plain("We wait for answers.")
    both = [(slot, Tag.PAUSE_LONG), (slot, Tag.EMPH)]
    clip = read_aloud(text, slot, ["pause", "long", "emph"])
    assert spoken_tags(clip, text.words, both) == set(both)


def test_a_sentence_about_a_pause_is_not_a_leak():
    text = TaggedText.from_plain("After a short pause she put great emphasis on the pitch.")
    candidates = [(4, Tag.PAUSE_SHORT), (3, Tag.PAUSE_SHORT), (7, Tag.EMPH), (10, Tag.PITCH_HIGH)]
    assert spoken_tags(say(text), text.words, candidates) == set()


@real_speech
def test_a_human_voice_with_long_pauses_leaks_nothing():
    candidates = [(slot, tag) for slot in (2, 5, 7, 14) for tag in TAGS]
    assert spoken_tags(read_audio(locate("real-speech/jfk.flac")), JFK.split(), candidates) == set()


def test_words_are_found_at_the_same_times_with_and_without_names():
    """The first pass chooses pronunciations, so allowing names may move a word, but only by a few frames."""
    apart = []
    for text in EXAMPLES[:3]:
        clip = say(text)
        times, found, other, _ = align_and_listen(clip, text.words, [(1, Tag.EMPH), (len(text.words), Tag.PAUSE_LONG)])
        assert found == other == set() and [time.word for time in times] == list(text.words)
        apart += [abs(a.start - b.start) for a, b in zip(times, align(clip, text.words), strict=True)]
    assert np.median(apart) < 0.001 and max(apart) < 0.1


def test_words_after_a_name_are_found_after_it():
    text = EXAMPLES[0]
    clip = read_aloud(text, 3, ["pause", "short"])
    times, found, _, _ = align_and_listen(clip, text.words, [(3, Tag.PAUSE_SHORT)])
    assert found == {(3, Tag.PAUSE_SHORT)}
    assert times[3].start - times[2].end > 0.3, "the name is between the words"


def test_tokens_that_are_not_spoken_do_no_harm():
    text = TaggedText.from_plain("We can do it - you know - today")
    clip = read_aloud(text, 5, ["emph"])
    times, found, _, _ = align_and_listen(clip, text.words, [(5, Tag.EMPH), (8, Tag.EMPH)])
    assert found == {(5, Tag.EMPH)}
    assert times[4].start == times[4].end and times[7].start > times[6].start


def test_slots_and_clips_that_do_not_fit():
    clip = say(EXAMPLES[0])
    with pytest.raises(DataError, match="slot 3"):
        spoken_tags(clip, ["two", "words"], [(3, Tag.EMPH)])
    with pytest.raises(AlignmentError, match="too short"):
        spoken_tags(clip, EXAMPLES[0].words * 20, [(0, Tag.EMPH)])
