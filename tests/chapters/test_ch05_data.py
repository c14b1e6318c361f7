"""Chapter 05: windows, leaks, the guide's rules, agreement beyond chance."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from harness.chapters.ch05_data import annotation
from harness.chapters.ch05_data.figures import kappa_dots, leak_curves, tag_position_strips, tag_rate_dots
from harness.chapters.ch05_data.findings import (
    gpt2_found,
    groups_found,
    leak_found,
    leak_table,
    recordings_found,
    strict_table,
    theirs_found,
)
from harness.chapters.ch05_data.leakage import MemoryTagger, leak, overlap, regroup, windows
from harness.chapters.ch05_data.pairs import pairs, tag_pair_map
from harness.datasets import load_examples, load_second_pass
from harness.paths import DATA
from harness.records import Example
from harness.tagged import TAGS, Tag, TaggedText


def example(text, group="g", name="x"):
    return Example(id=name, text=text, group=group, split="train")


TALK = [example("One two <emph> three", name="a"), example("<pitch_low> four five six <pitch_rising> seven", name="b")]


def test_windows_keep_every_tag_on_its_word():
    assert [w.text for w in windows(TALK, 3, 3)] == ["One two <emph> three", "<pitch_low> four five six"]
    assert [w.text for w in windows(TALK, 4, 2)] == [
        "One two <emph> three <pitch_low> four",
        "<emph> three <pitch_low> four five six",
    ]


def test_groups_are_never_joined():
    cut = windows([example("one two", "g"), example("three four", "h")], 2, 1)
    assert [(w.group, w.text) for w in cut] == [("g", "one two"), ("h", "three four")]


def test_memory_copies_only_what_it_has_seen():
    memory = MemoryTagger([example("We say <emph> this today and go")])
    seen, new = memory.tag([TaggedText.from_plain("We say this today"), TaggedText.from_plain("They want this today")])
    assert seen.format() == "We say <emph> this today" and not new.tags


@pytest.fixture(scope="module")
def talks():
    return [*load_examples("train"), *load_examples("heldout")]


def test_random_folds_reward_memory_where_windows_overlap_and_only_there(talks):
    found = {
        stride: leak(windows(talks, 10, stride), {"memory": MemoryTagger}, n_resamples=200)[0] for stride in (10, 5)
    }
    assert found[10]["random"][0] == found[10]["grouped"][0] == found[5]["grouped"][0] == 0
    assert found[5]["difference"][1] > 0.4


def test_regrouping_joins_examples_that_share_fewer_words():
    pair = [example("a b c d e f", "1"), example("x c d e f y", "2"), example("p q r", "3")]
    assert len({e.group for e in regroup(pair, 6)}) == 3 and len({e.group for e in regroup(pair, 4)}) == 2
    assert overlap([example("a b c d e f"), example("z a b c d e f"), example("p q r")])["sharing"] == pytest.approx(
        2 / 3
    )


RULES = {
    "one to four tags": "a b c d e f",
    "at most one tag for every three words": "a <emph> b",
    "at most so many of a kind": "<pitch_low> a b c <pitch_low> d e f",
    "one contour an example": "a b <pitch_rising> c d e <pitch_falling> f",
    "high and emphatic never on one word": "<emph> <pitch_high> a b c d e f",
    "two tags on a slot: a pause, then a word tag": "a b c <emph> <pause_short> d e f g",
}


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_of_the_guide_is_checked_by_itself(rule):
    broken = annotation.guide_violations([TaggedText.parse(RULES[rule])])
    assert broken[rule] == 1
    if rule != "high and emphatic never on one word":  # which also breaks the order on a slot
        assert sum(broken.values()) == 1


def test_the_guide_has_a_row_for_every_tag():
    rows = annotation.guide_rows((DATA / "examples" / "annotation-guide.md").read_text(encoding="utf-8"))
    assert [row["tag"] for row in rows] == [tag.value for tag in TAGS]
    assert all(row["at most"].startswith(str(annotation.AT_MOST[tag])) for row, tag in zip(rows, TAGS, strict=True))


def test_our_examples_follow_the_guide(talks):
    assert sum(annotation.guide_violations([e.tagged for e in talks]).values()) == 0


def test_kappa_agrees_with_scikit_learn():
    first = [e.tagged for e in load_examples("heldout")]
    second = [e.tagged for e in load_second_pass()]
    groups = [e.group for e in load_examples("heldout")]
    found = annotation.kappas(first, second, groups)
    for tag in TAGS:
        marks = [
            np.concatenate([[slot in t.slots(tag) for slot in range(len(t.words) + 1)] for t in side])
            for side in (first, second)
        ]
        assert found[tag.value]["kappa"].value == pytest.approx(cohen_kappa_score(*marks))
        assert found[tag.value]["kappa"].low <= found[tag.value]["kappa"].value <= found[tag.value]["kappa"].high


def test_composition_counts():
    row = annotation.composition(TALK)
    assert (row["words"], row["tags"], row["groups"]) == (7, 3, 1) and row["tags in 100 words"] == pytest.approx(
        300 / 7
    )
    assert annotation.rates(TALK)["<emph>"].value == pytest.approx(100 / 7)
    assert annotation.shared_runs([example("a b c d e f g")], [example("b c d e f g h")]) == 1
    assert annotation.positions([TaggedText.parse("a <emph> b")])["<emph>"] == [0.5]


def test_figures_describe_what_they_show(talks):
    figure = tag_rate_dots({"ours": annotation.rates(talks)})
    assert "<emph>" in figure.caption and "pause_long" in figure.alt
    figure = tag_position_strips(annotation.positions([e.tagged for e in talks]), "T")
    assert "`<pitch_high>` is earliest" in figure.caption
    second = load_second_pass()
    figure = kappa_dots(
        annotation.kappas(
            [e.tagged for e in load_examples("heldout")], [e.tagged for e in second], [e.group for e in second]
        )
    )
    assert f"`{Tag.PITCH_HIGH.value}`" in figure.caption
    rows = [{"tagger": "memory", "shared": s, "random": [v, v - 0.1, v + 0.1], "grouped": [0.1, 0.0, 0.2], "difference": [v - 0.1, 0, 1]}
            for s, v in ((0.0, 0.1), (0.5, 0.8))]  # fmt: skip
    assert "At 50% overlap random folds give memory 0.80 [0.70, 0.90]" in leak_curves(rows).caption


APART = [example("<emph> a b c", "g", "1"), example("<emph> a b <pause_long> c", "g", "2"),
         example("a <pause_long> b c", "h", "3"), example("a b c", "h", "4")]  # fmt: skip


def test_pairs_are_compared_with_chance():
    found = {(pair.first, pair.second): pair for pair in pairs(APART, 200)}
    assert len(found) == len(TAGS) * (len(TAGS) - 1) // 2
    pair = found["<emph>", "<pause_long>"]
    assert (pair.both, pair.expected, pair.lift.value) == (1, 1.0, 1.0)  # 2 of 4 hold each tag, 1 of 4 both
    assert np.isnan(found["<emph>", "<pitch_low>"].lift.value)


def test_the_figure_of_pairs_names_the_furthest_on_both_sides(talks):
    figure = tag_pair_map(pairs(talks, 100), len(talks))
    assert f"of {len(talks)};" in figure.caption
    above, below = figure.caption.split("Furthest above: ")[1].split("Furthest below: ")
    assert above.startswith("`<pause_long>` with `<pitch_falling>`, 14 where chance gives ")
    assert below.startswith("`<pause_short>` with `<pause_long>`, 3 where chance gives ")


def test_the_perfect_score_is_the_best_one_even_with_short_windows_and_two_folds(talks):
    """Exercise 5.2 asserts this under any parameters of the page."""
    found = {
        stride: leak(windows(talks, 6, stride), {"memory": MemoryTagger}, folds=2, seed=8, n_resamples=100)[0]
        for stride in (3, 2, 1)
    }
    scores = [found[stride]["random"][0] for stride in (3, 2, 1)]
    assert scores == sorted(scores) and scores[2] > scores[1] > found[1]["grouped"][0]


def leak_rows(memory, shared=None):
    rows = [
        {"tagger": "memory", "examples": 9, "random": [0.6, 0.5, 0.7], "grouped": memory, "difference": [0.5, 0.4, 0.6]}
    ]
    return [row | {"shared": shared} for row in rows] if shared is not None else rows


def test_the_findings_about_a_leak_follow_from_the_figures():
    clean = {"random": [0.1, 0.0, 0.2], "difference": [0.0, -0.1, 0.1]}
    said = leak_found([leak_rows([0.1, 0.0, 0.2], 0.0)[0] | clean, *leak_rows([0.14, 0.0, 0.2], 0.5)])
    assert "At 0% overlap, random and grouped folds differ for: no tagger. At 50% overlap" in said
    assert "score higher for: memory" in said and "at most 0.04 (memory)" in said
    assert "higher (+0.50" in leak_table(leak_rows([0.1, 0.0, 0.2]), "c").html
    assert "detector of leaks" in groups_found(leak_rows([0.2, 0.1, 0.3]))
    assert "keep these windows apart" in groups_found(leak_rows([0.0, 0.0, 0.1]))
    assert "not on this machine" in groups_found([]) and "With random folds" in gpt2_found([])


def test_the_grouping_that_leaves_nothing_to_remember_is_named():
    rate = [0.2, 0.1, 0.3]
    strict = {
        6: {"groups": 9, "memory": rate, "logistic": rate},
        3: {"groups": 2, "memory": [0.0, 0.0, 0.1], "logistic": rate},
    }
    assert strict_table(strict).html.count("<tr>") == 3
    assert theirs_found({"examples": 98, "sharing": 0.5}, strict, "").endswith("leave it nothing: 3.")
    assert theirs_found(None, {}, "not here") == "not here"


def test_clips_cut_at_the_wrong_times_are_called_so_only_if_heard_there():
    heard = {"own text": [0, 1], "half the time": [3, 4], "control": [1, 0]}
    assert "2 of the note's clips, 1 are" in recordings_found(heard, 2) and "mismatches" in recordings_found(heard, 2)
    assert "mismatches" not in recordings_found(heard | {"own text": [9, 9]}, 2)
    assert recordings_found({}, 0) == "The note's recordings are not on this machine."
