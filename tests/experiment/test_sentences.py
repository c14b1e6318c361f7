"""The sentence set, and the distribution of the seven tags over it."""

import json
from collections import Counter
from functools import cache

import pytest

from harness.datasets import load_examples, sentence_frame, word_ngrams
from harness.errors import DataError
from harness.experiment.sentences import SETS_FILE, Item, SetSentence, load_items, sentences_file, spread
from harness.store import read_jsonl
from harness.tagged import CONTOURS, TAGS, Tag, TaggedText

TARGET_TAGS = [tag for tag in TAGS if tag not in CONTOURS]
CLASSES = ("noun", "verb", "modifier", "function")


@cache
def sentences():
    return {sentence.id: sentence for sentence in read_jsonl(SETS_FILE, SetSentence)}


@cache
def standard():
    return load_items("standard", contrast=1000)


def words_of(sentence):
    return tuple(sentence.text.split())


def phrase_ends(text):
    return sorted({text.phrase_end(slot) for slot in range(len(text.words))})


def slots_of(tag, items=None):
    return {item.group: item.text.tags[0][0] for item in items or standard() if item.text.tags[0][1] is tag}


def third(slot, n_words):
    return slot * 3 // n_words


def test_the_set_has_216_sentences_and_quick_is_the_first_thirty():
    groups = list(dict.fromkeys(item.group for item in standard()))
    quick = list(dict.fromkeys(item.group for item in load_items("quick")))
    assert groups == list(sentences()) == [f"s{n:03d}" for n in range(1, 217)]
    assert quick == groups[:30]


def test_sentences_are_unique_and_end_as_sentences():
    texts = [sentence.text for sentence in sentences().values()]
    assert len({text.lower() for text in texts}) == len(texts)
    assert all(text[0].isupper() and text[-1] in ".!?" and text == " ".join(text.split()) for text in texts)
    assert all(TaggedText.parse(text).tags == () for text in texts)


def test_every_sentence_has_every_tag_once():
    asked = Counter((item.group, tag) for item in standard() for _, tag in item.text.tags)
    assert set(asked) == {(name, tag) for name in sentences() for tag in TAGS} and set(asked.values()) == {1}
    assert all(item.id == f"{item.group}.{item.text.tags[0][1].bare}" for item in standard())
    assert all(item.text.words == words_of(sentences()[item.group]) for item in standard())


def test_targets_are_one_word_in_each_third_at_least_two_apart_and_tags_are_on_them():
    for sentence in sentences().values():
        first, second, last = sentence.targets
        assert [third(slot, len(words_of(sentence))) for slot in sentence.targets] == [0, 1, 2], sentence.id
        assert min(second - first, last - second) >= 2 and len(sentence.classes) == 3, sentence.id
        assert first >= 1, "a pause before the first word is not a pause"
    for item in standard():
        slot, tag = item.text.tags[0]
        assert slot in (phrase_ends(item.text.stripped()) if tag in CONTOURS else sentences()[item.group].targets)


@pytest.mark.parametrize("tag", TARGET_TAGS, ids=lambda tag: tag.bare)
def test_word_tags_and_pauses_are_balanced_over_the_thirds(tag):
    counts = Counter(third(slot, len(words_of(sentences()[name]))) for name, slot in slots_of(tag).items())
    assert max(counts.values()) - min(counts.values()) <= 0.1 * max(counts.values()), counts
    assert set(counts) == {0, 1, 2}


@pytest.mark.parametrize("tag", sorted(CONTOURS), ids=lambda tag: tag.bare)
def test_contours_are_balanced_over_the_phrases_of_a_sentence(tag):
    """They cannot be balanced over thirds: the last phrase, which may be the only one, ends in the last third."""
    counts = Counter()
    for name, slot in slots_of(tag).items():
        ends = phrase_ends(TaggedText(words_of(sentences()[name])))
        counts[len(ends), ends.index(slot)] += 1
    for n in (1, 2, 3):
        of_n = [counts[n, place] for place in range(n)]
        assert sum(of_n) == 72, counts
        assert max(of_n) - min(of_n) <= 0.25 * max(of_n), counts
    thirds = Counter(third(slot, len(words_of(sentences()[name]))) for name, slot in slots_of(tag).items())
    assert min(thirds[part] for part in range(3)) >= 30, thirds


def test_tags_are_balanced_over_word_classes():
    counts = {tag.bare: Counter() for tag in TARGET_TAGS}
    for tag in TARGET_TAGS:
        for name, slot in slots_of(tag).items():
            sentence = sentences()[name]
            counts[tag.bare][sentence.classes[sentence.targets.index(slot)]] += 1
    report = "; ".join(f"{tag}: {dict(row)}" for tag, row in counts.items())
    for name in CLASSES:
        column = [row[name] for row in counts.values()]
        assert min(column) >= 0.15 * 216, report
        assert max(column) - min(column) <= 0.25 * max(column), report


def test_quick_has_every_tag_in_every_third_and_class():
    items = load_items("quick")
    for tag in TARGET_TAGS:
        slots = slots_of(tag, items)
        thirds = Counter(third(slot, len(words_of(sentences()[name]))) for name, slot in slots.items())
        assert sorted(thirds) == [0, 1, 2] and set(thirds.values()) <= {9, 12}, "30 are three rotations and a third"
        classes = Counter(
            sentences()[name].classes[sentences()[name].targets.index(slot)] for name, slot in slots.items()
        )
        assert len(classes) >= 3, (tag, classes)


def test_contrast_slots_include_the_slot_of_the_item():
    taking_part = [item for item in standard() if item.slots]
    for item in taking_part:
        slot, tag = item.text.tags[0]
        assert len(item.slots) == 3 and slot in item.slots and item.slots[item.place] == slot
        expected = phrase_ends(item.text.stripped()) if tag in CONTOURS else sentences()[item.group].targets
        assert list(item.slots) == expected
    counts = Counter(item.text.tags[0][1] for item in taking_part)
    assert {counts[tag] for tag in TARGET_TAGS} == {216} and {counts[tag] for tag in CONTOURS} == {72}
    contours = [item for item in standard() if item.text.tags[0][1] in CONTOURS]
    assert all(bool(item.slots) == (len(phrase_ends(item.text.stripped())) == 3) for item in contours)


def test_contrast_is_limited_to_the_given_number_of_sentences():
    counts = Counter(item.text.tags[0][1] for item in load_items("standard", contrast=7) if item.slots)
    assert counts == dict.fromkeys(TAGS, 7)
    assert not any(item.slots for item in load_items("standard"))
    assert {item.place for item in load_items("quick")} == {0}


def test_no_run_or_frame_is_shared_with_the_examples_of_taggers():
    examples = [example.tagged.words for split in ("train", "heldout") for example in load_examples(split)]
    runs = {run for words in examples for run in word_ngrams(words, 5)}
    frames = {sentence_frame(words) for words in examples}
    assert len(runs) > 1000 and len(frames) > 100
    for sentence in sentences().values():
        words = words_of(sentence)
        assert not runs & set(word_ngrams(words, 5)), sentence.text
        assert sentence_frame(words) not in frames, sentence.text


def test_limits_and_tags_choose_from_the_set():
    items = load_items("standard", limit=4, tags=[Tag.EMPH, Tag.PITCH_LOW])
    assert [item.id for item in items[:3]] == ["s001.emph", "s001.pitch_low", "s002.emph"] and len(items) == 8
    assert slots_of(Tag.PITCH_LOW, items) == {name: slots_of(Tag.PITCH_LOW)[name] for name in list(sentences())[:4]}
    assert len(load_items("quick", limit=100)) == 30 * 7


def test_a_target_rotates_with_every_third_sentence():
    one = SetSentence(id="s001", text="We go, you stay, they come.", targets=[1, 3, 5], classes=["verb"] * 3)
    copies = [one.model_copy(update={"id": f"s{n:03d}"}) for n in range(9)]
    assert list(slots_of(Tag.EMPH, spread(copies)).values()) == [1, 1, 1, 3, 3, 3, 5, 5, 5]
    assert Counter(slots_of(Tag.PITCH_RISING, spread(copies)).values()) == {1: 3, 3: 3, 5: 3}


def lines(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def test_lines_of_a_users_file_with_the_same_words_are_one_group(tmp_path):
    texts = ["We <emph> sell boats.", "They buy <pause_short> ships.", "We sell <pitch_high> boats.", "We sell boats!"]
    name = lines(tmp_path / "mine.jsonl", *({"id": i, "text": text} for i, text in zip("abcd", texts, strict=True)))
    items = load_items(name, contrast=5)
    assert [(item.id, item.group) for item in items] == [("a", "a"), ("b", "b"), ("c", "a"), ("d", "d")]
    assert items[2] == Item("c", "a", TaggedText.parse(texts[2]), cluster="a"), "no contrast for a file"
    assert [item.id for item in load_items(name, limit=2)] == ["a", "b"]


def test_unusable_files_are_named(tmp_path):
    twice = lines(tmp_path / "twice.jsonl", {"id": "a", "text": "One."}, {"id": "a", "text": "Two."})
    with pytest.raises(DataError, match=r"'?a'?.*twice|twice.*'?a'?"):
        load_items(twice)
    with pytest.raises(DataError, match="no such file"):
        sentences_file("nowhere.jsonl")
    with pytest.raises(DataError, match=r"empty\.jsonl"):
        load_items(lines(tmp_path / "empty.jsonl"))
