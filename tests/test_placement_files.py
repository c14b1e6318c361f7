"""Two files of tagged text, scored side by side."""

import json

import pytest

from harness import placement
from harness.errors import DataError
from harness.placement import score_files, score_placement
from harness.tagged import TaggedText

GOLD = ["We <emph> mean it", "so <pause_short> it is", "<pitch_low> no", "oh <emph> well", "a b <pause_long> c"]
GUESS = ["We <emph> mean it", "so it <pause_short> is", "<pitch_low> no", "oh well", "a <emph> b <pause_long> c"]


def write(path, texts, order=None, **more):
    lines = [{"id": f"s{number}", "text": text, **more} for number, text in enumerate(texts)]
    path.write_text("".join(json.dumps(lines[at]) + "\n" for at in order or range(len(lines))))
    return path


@pytest.fixture
def gold(tmp_path):
    return write(tmp_path / "gold.jsonl", GOLD)


@pytest.mark.parametrize("block", [1, 2, 5_000])
@pytest.mark.parametrize("order", [None, [4, 3, 2, 1, 0], [1, 2, 3, 4, 0], [0, 2, 1, 4, 3]])
def test_the_figures_are_those_of_the_texts_in_any_order(tmp_path, gold, monkeypatch, block, order):
    monkeypatch.setattr(placement, "_BLOCK", block)
    texts = ([TaggedText.parse(text) for text in texts] for texts in (GOLD, GUESS))
    expected = score_placement(*texts, n_resamples=200, seed=3).as_json()
    assert score_files(gold, write(tmp_path / "p.jsonl", GUESS, order), n_resamples=200, seed=3).as_json() == expected


def test_groups_are_the_clusters_where_every_line_has_one(tmp_path):
    grouped = write(tmp_path / "gold.jsonl", GOLD, group="g")
    guess = write(tmp_path / "p.jsonl", GUESS)
    f1 = score_files(grouped, guess).micro.f1
    assert f1.low == f1.high == f1.value  # one cluster: every resample is the same
    grouped.write_text(grouped.read_text().replace(', "group": "g"', "", 1))
    assert score_files(grouped, guess).micro.f1.low < f1.value


def test_ids_must_be_the_same(tmp_path, gold):
    with pytest.raises(DataError, match=r"p\.jsonl: the ids differ from the reference: 2 missing \(s3, s4\) \(predict"):
        score_files(gold, write(tmp_path / "p.jsonl", GUESS[:3]))
    with pytest.raises(DataError, match=r"p\.jsonl: the ids differ.*: 4 not in the reference \(s5, s6, s7, \.\.\.\)"):
        score_files(gold, write(tmp_path / "p.jsonl", [*GUESS, "w", "x", "y", "z"]))


def test_a_line_that_cannot_be_read_and_an_id_that_is_used_twice_are_named(tmp_path, gold):
    with pytest.raises(DataError, match=r"p\.jsonl:2: in the text at column 4: unknown tag <emf>"):
        score_files(gold, write(tmp_path / "p.jsonl", [GUESS[0], "so <emf> it is"]))
    with pytest.raises(DataError, match=r"p\.jsonl:3: the id 's0' was already used on line 1"):
        score_files(gold, write(tmp_path / "p.jsonl", GUESS, [0, 1, 0]))
    with pytest.raises(DataError, match=r"empty\.jsonl: there are no sentences to score"):
        score_files(write(tmp_path / "empty.jsonl", []), gold)
