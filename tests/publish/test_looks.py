"""The looks of the figures, and which value of a table is marked."""

from itertools import combinations

import pytest
from helpers import unspanned

from harness.publish import style
from harness.publish.tables import MARK, NOBODY, Rate, ahead, placement_table, said, table


@pytest.mark.parametrize("family", style.FAMILIES)
def test_two_of_a_family_never_look_the_same(family):
    for one, other in combinations(style.FAMILIES[family].values(), 2):
        assert (one.colour, one.marker) != (other.colour, other.marker)


def test_marks_and_words_are_visible_on_white():
    for shade in style.PALETTE:
        assert style.contrast(shade) >= 3 and style.contrast(style.ink(shade)) >= style.TEXT_CONTRAST
        assert style.contrast(style.on(shade), shade) >= 3
    assert style.contrast("#FFFFFF", "#000000") == pytest.approx(21)


def test_a_longer_name_has_the_look_of_its_beginning():
    for name, known in (("espeak:en-us", "espeak"), ("gpt2, espeak", "gpt2"), ("lm_slots on SmolLM2-135M", "lm_slots")):
        assert style.look(name) == style.look(known)
    assert style.look("my_tagger") == style.look("my_tagger") != style.look("your_tagger")


def test_no_system_is_best_where_intervals_overlap():
    clear = {"a": (0.9, 0.8, 1.0), "b": (0.5, 0.4, 0.6)}
    assert ahead(clear) == "a"
    assert ahead(clear | {"b": (0.7, 0.5, 0.8)}) is None
    assert ahead({"a": (0.9, 0.8, 1.0)}) is None, "there is no other system"
    assert ahead(clear | {"gold": (1.0, 1.0, 1.0)}) == "a", "annotations are not ranked"
    assert ahead({"a": (0.9, None, None), "b": (0.5, 0.4, 0.6)}) is None, "no interval, no mark"
    assert ahead(clear | {"c": (0.95, None, None)}) is None, (
        "a value without an interval can keep another from being best"
    )


def test_a_mark_is_explained_in_the_caption():
    rows = [{"tagger": "a", "F1": Rate(0.9, 0.8, 1.0)}, {"tagger": "b", "F1": Rate(0.5, 0.4, 0.6)}]
    html = unspanned(table(rows, "T", compare=["F1"], digits={"F1": 1}))
    assert f'class="best">0.9 [0.8, 1.0] {MARK}<' in html and html.count(MARK) > 1
    assert NOBODY in table(rows[:1], "T", compare=["F1"]).html and NOBODY in said({"x": "a", "y": None})
    assert MARK not in table(rows, "T").html


def test_the_placement_table_marks_only_what_its_intervals_show():
    def report(low, middle, high):
        score = {"f1": middle, "f1_low": low, "f1_high": high, "precision": middle, "recall": middle}
        return {"micro": score, "macro": score, "tolerant": score, "exact_match": 0.1, "text_preserved": 1.0}

    apart = {"rules": report(0.1, 0.2, 0.3), "gpt2": report(0.4, 0.5, 0.6), "second pass": report(0.8, 0.9, 1.0)}
    assert placement_table(apart).html.count("best-mark") == 2
    assert "best-mark" not in placement_table(apart | {"gpt2": report(0.25, 0.5, 0.6)}).html


def test_a_figure_is_as_wide_as_the_column():
    figure, axis = style.subplots(height=2)
    axis.set_title("words", color=style.INK)
    assert (
        int.from_bytes(style.Figure(figure, "alt", "caption").png[16:20], "big")
        == round(style.WIDTH * style.DPI)
        <= 774
    )
