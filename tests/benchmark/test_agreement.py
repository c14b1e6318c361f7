"""Two readers of one text: which chapters form a pair, and how well the readers agree."""

import numpy as np
import pytest
from helpers import needs_data

from harness.benchmark.agreement import MINIMUM_WORDS, SHARED_RUN, reader_agreement
from harness.datasets import UNLABELLED, ProsodyUtterance, load_helsinki

TEXT = [f"word{k}" for k in range(240)]


def chapter(name, words, prominence, length=30):
    """A chapter, cut into utterances."""
    return [
        ProsodyUtterance(f"{name}_{at}", tuple(words[at : at + length]), tuple(prominence[at : at + length]),
                         (0,) * len(words[at : at + length]))
        for at in range(0, len(words), length)
    ]  # fmt: skip


def test_two_readers_of_a_text_are_compared_word_by_word():
    first, second = [2, 2, 1, 0] * 60, [2, 1, 0, 0] * 60
    found = reader_agreement([*chapter("1_10", TEXT, first), *chapter("2_20", TEXT, second)], 50)
    assert found["pairs"] == [{"first": "1_10", "second": "2_20", "words": 240}]
    assert found["accuracy_2way"][0] == pytest.approx(3 / 4)
    assert found["accuracy_3way"][0] == pytest.approx(2 / 4)
    assert found["emph_f1"][0] == pytest.approx(2 / 3)


def test_case_punctuation_and_extra_words_do_not_matter():
    second = [f"{word.upper()}," for word in TEXT]
    second[100:100] = ["Chapter", "two."]
    labels = [0, 1, 2] * 80
    found = reader_agreement(
        [*chapter("1_10", TEXT, labels), *chapter("2_20", second, [*labels[:100], 2, 2, *labels[100:]], 17)], 50
    )
    assert found["pairs"][0]["words"] == 240
    for name in ("accuracy_2way", "accuracy_3way", "emph_f1"):
        value, low, high = found[name]
        assert value == high == 1 and 0 < low < 1, "perfect agreement is not certainty"


def test_words_without_a_label_from_either_reader_are_left_out():
    first, second = [1] * 240, [1] * 240
    first[:10], second[5:20] = [UNLABELLED] * 10, [UNLABELLED] * 15
    found = reader_agreement([*chapter("1_10", TEXT, first), *chapter("2_20", TEXT, second)], 50)
    assert found["pairs"][0]["words"] == 220 and found["accuracy_3way"][0] == 1


def test_two_chapters_by_one_reader_are_not_a_pair():
    labels = [0, 1, 2] * 80
    assert reader_agreement([*chapter("1_10", TEXT, labels), *chapter("1_20", TEXT, labels)]) == {"pairs": []}


def test_chapters_without_shared_text_are_not_a_pair():
    labels, other = [0, 1, 2] * 80, [f"other{k}" for k in range(240)]
    assert reader_agreement([*chapter("1_10", TEXT, labels), *chapter("2_20", other, labels)]) == {"pairs": []}
    assert reader_agreement([]) == {"pairs": []}


def test_short_quotations_or_too_little_text_do_not_make_a_pair():
    labels, other = [0, 1, 2] * 80, [f"other{k}" for k in range(240)]
    for k in range(0, 240, SHARED_RUN):  # the same words, never `SHARED_RUN` in a row
        other[k : k + SHARED_RUN - 1] = TEXT[k : k + SHARED_RUN - 1]
    assert reader_agreement([*chapter("1_10", TEXT, labels), *chapter("2_20", other, labels)]) == {"pairs": []}
    for n, pairs in ((MINIMUM_WORDS - 1, 0), (MINIMUM_WORDS, 1)):
        found = reader_agreement([*chapter("1_10", TEXT, labels), *chapter("2_20", TEXT[:n], labels[:n])], 20)
        assert len(found["pairs"]) == pairs


def test_aligned_runs_are_the_clusters():
    generator = np.random.default_rng(0)
    first, second = (generator.integers(0, 3, 240).tolist() for _ in range(2))
    whole = reader_agreement([*chapter("1_10", TEXT, first), *chapter("2_20", TEXT, second)], 200)["accuracy_3way"]
    assert np.isfinite(whole[0]) and np.isnan(whole[1:]).all(), "a single run says nothing about others"
    words = [word if k % 40 else "interrupted" for k, word in enumerate(TEXT)]
    cut = reader_agreement([*chapter("1_10", TEXT, first), *chapter("2_20", words, second)], 200)["accuracy_3way"]
    assert cut[1] < cut[0] < cut[2]


@needs_data("helsinki-prosody")
def test_the_readers_of_one_book_are_found_in_the_corpus():
    found = reader_agreement([*load_helsinki("dev"), *load_helsinki("test")], 100)
    pairs = {(pair["first"], pair["second"]) for pair in found["pairs"]}
    assert {("1462_170138", "4446_2271"), ("1462_170142", "4446_2275")} <= pairs
    assert all(first.split("_")[0] != second.split("_")[0] for first, second in pairs)
    value, low, high = found["accuracy_2way"]
    assert 0.5 < low < value < high < 1
