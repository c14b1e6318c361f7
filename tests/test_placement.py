import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_fscore_support

from harness.errors import DataError
from harness.placement import carry_over, f1_difference, score_files, score_placement
from harness.tagged import TAGS, Tag, TaggedText


def random_pairs(n, seed=0, agree=0.6):
    """Random reference sentences, and guesses that keep a tag with probability `agree`."""
    generator = np.random.default_rng(seed)

    def drawn(words, most):
        slots = (int(generator.integers(0, len(words) + 1)) for _ in range(generator.integers(0, most)))
        return {(slot, TAGS[generator.integers(7)]) for slot in slots}

    gold, guess = [], []
    for _ in range(n):
        words = [f"w{k}" for k in range(generator.integers(3, 25))]
        tags = drawn(words, 6)
        kept = {tag for tag in tags if generator.random() < agree}
        extra = drawn(words, 3)
        gold.append(TaggedText(words, tags))
        guess.append(TaggedText(words, kept | extra))
    return gold, guess


def indicators(texts):
    """One row a slot, one column a tag."""
    return np.array(
        [[tag in text.by_slot().get(slot, ()) for tag in TAGS] for text in texts for slot in range(len(text.words) + 1)]
    )


def test_agrees_with_scikit_learn_on_1000_random_sentences():
    gold, guess = random_pairs(1000)
    report = score_placement(gold, guess, n_resamples=50)
    y_true, y_pred = indicators(gold), indicators(guess)
    for average, score in (("micro", report.micro), ("macro", report.macro)):
        p, r, f, _ = precision_recall_fscore_support(y_true, y_pred, average=average, zero_division=0)
        assert (score.precision, score.recall, score.f1.value) == pytest.approx((p, r, f), abs=1e-12)
    p, r, f, support = precision_recall_fscore_support(y_true, y_pred, zero_division=0)
    for k, tag in enumerate(TAGS):
        score = report.per_tag[tag]
        assert (score.precision, score.recall, score.f1.value) == pytest.approx((p[k], r[k], f[k]), abs=1e-12)
        assert score.support == support[k]
    assert report.micro.f1.low < report.micro.f1.value < report.micro.f1.high


def test_a_perfect_tagger_is_not_certain_and_an_empty_one_scores_nothing():
    gold, _ = random_pairs(200)
    perfect = score_placement(gold, gold)
    assert perfect.micro.f1.value == perfect.exact_match.value == perfect.text_preserved == 1
    assert 0.9 < perfect.micro.f1.low < 1
    nothing = score_placement(gold, [text.stripped() for text in gold])
    assert (nothing.micro.precision, nothing.micro.recall, nothing.micro.f1.value) == (0, 0, 0)
    assert nothing.density_predicted == 0 < nothing.density_gold


def test_one_slot_tolerance_matches_one_to_one():
    gold = [TaggedText("abcdef", [(2, Tag.EMPH)])]
    twice = [TaggedText("abcdef", [(1, Tag.EMPH), (3, Tag.EMPH)])]
    report = score_placement(gold, twice)
    assert report.tolerant.precision == 0.5 and report.tolerant.recall == 1
    assert score_placement(gold, [TaggedText("abcdef", [(4, Tag.EMPH)])]).tolerant.f1.value == 0
    assert score_placement(gold, [TaggedText("abcdef", [(1, Tag.PITCH_LOW)])]).tolerant.f1.value == 0


@given(st.lists(st.integers(0, 12), max_size=6, unique=True), st.lists(st.integers(0, 12), max_size=6, unique=True))
def test_greedy_matching_is_the_largest(wanted, placed):
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import maximum_bipartite_matching

    from harness.placement import _near_matches

    best = 0
    if wanted and placed:
        near = np.abs(np.subtract.outer(wanted, placed)) <= 1
        best = int((maximum_bipartite_matching(csr_matrix(near)) >= 0).sum())
    assert _near_matches(sorted(wanted), sorted(placed)) == best


def test_macro_averages_over_tags_of_the_reference_only():
    gold = [TaggedText("abcd", [(1, Tag.EMPH)])]
    report = score_placement(gold, [TaggedText("abcd", [(1, Tag.EMPH), (2, Tag.PITCH_LOW)])])
    assert report.macro.f1.value == 1
    assert report.per_tag[Tag.PITCH_LOW].precision == 0
    assert np.isnan(report.per_tag[Tag.PAUSE_LONG].f1.value), "neither wanted nor placed"


def test_changed_words_are_counted_and_aligned():
    gold = TaggedText.parse("We <emph> guarantee 30% savings <pause_long> today")
    guess = TaggedText.parse("Well, we <emph> guarantee thirty savings <pause_long> today")
    report = score_placement([gold, gold], [guess, gold])
    assert report.text_preserved == 0.5 and report.exact_match.value == 0.5
    assert report.micro.f1.value == 1
    lost = TaggedText.parse("Well <emph> <pause_short> now")
    assert carry_over(lost, ("other", "words", "here")) == [(-1, Tag.EMPH), (-1, Tag.PAUSE_SHORT)]
    assert carry_over(TaggedText.parse("a <emph> new b"), ("a", "b")) == [(1, Tag.EMPH)]


def test_clusters_and_paired_differences():
    gold, good = random_pairs(120, agree=0.9)
    _, poor = random_pairs(120, agree=0.3)
    assert f1_difference(gold, good, poor).low > 0
    assert f1_difference(gold, good, good).value == 0
    wide = score_placement(gold, poor, clusters=[str(k // 12) for k in range(120)])
    assert wide.micro.f1.value == score_placement(gold, poor).micro.f1.value


def test_texts_must_pair_up():
    with pytest.raises(DataError, match="expected one prediction for each of"):
        score_placement([], [TaggedText(["a"])])


# --- files -----------------------------------------------------------------------------------------------------------

GOLD = ["We <emph> mean it", "so <pause_short> it is", "<pitch_low> no", "oh <emph> well", "a b <pause_long> c"]
GUESS = ["We <emph> mean it", "so it <pause_short> is", "<pitch_low> no", "oh well", "a <emph> b <pause_long> c"]


def write(path, texts, order=None, **more):
    lines = [{"id": f"s{number}", "text": text, **more} for number, text in enumerate(texts)]
    path.write_text("".join(json.dumps(lines[at]) + "\n" for at in order or range(len(lines))))
    return path


@pytest.fixture
def gold(tmp_path):
    return write(tmp_path / "gold.jsonl", GOLD)


@pytest.mark.parametrize("order", [None, [4, 3, 2, 1, 0], [1, 2, 3, 4, 0], [0, 2, 1, 4, 3]])
def test_the_figures_are_those_of_the_texts_in_any_order(tmp_path, gold, order):
    texts = ([TaggedText.parse(text) for text in texts] for texts in (GOLD, GUESS))
    expected = score_placement(*texts, n_resamples=200, seed=3).as_json()
    assert score_files(gold, write(tmp_path / "p.jsonl", GUESS, order), n_resamples=200, seed=3).as_json() == expected


def test_groups_are_the_clusters_where_every_line_has_one(tmp_path):
    grouped = write(tmp_path / "gold.jsonl", GOLD, group="g")
    guess = write(tmp_path / "p.jsonl", GUESS)
    f1 = score_files(grouped, guess).micro.f1
    assert np.isnan(f1.low) and np.isnan(f1.high)  # one cluster says nothing about others
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


# --- two references --------------------------------------------------------------------------------------------------

SECOND = ["We <emph> mean it", "so it <pause_short> is", "<pitch_low> no", "oh <emph> well", "a b <emph> c"]


def test_a_tag_of_either_reference_is_right_and_only_those_of_both_are_required(tmp_path, gold):
    guess, second = write(tmp_path / "p.jsonl", GUESS), write(tmp_path / "second.jsonl", SECOND, [4, 0, 3, 1, 2])
    strict, lenient = score_files(gold, guess), score_files(gold, guess, optional=second)
    assert (strict.micro.precision, strict.micro.recall) == (pytest.approx(3 / 5), pytest.approx(3 / 5))
    # of the five tags only the emphasis on b is neither's; of the three that both have, the one on "well" is missing
    assert (lenient.micro.precision, lenient.micro.recall) == (pytest.approx(4 / 5), pytest.approx(4 / 5))
    assert (strict.exact_match.value, lenient.exact_match.value) == (pytest.approx(2 / 5), pytest.approx(3 / 5))
    assert score_files(gold, gold, optional=second).micro.f1.value == 1
    assert score_files(gold, guess, optional=gold).as_json() == strict.as_json(), (
        "a second reference that says the same"
    )


def test_either_reference_may_be_the_first(tmp_path, gold):
    guess, second = write(tmp_path / "p.jsonl", GUESS), write(tmp_path / "second.jsonl", SECOND)
    one, other = score_files(gold, guess, optional=second), score_files(second, guess, optional=gold)
    assert one.as_json() == other.as_json()


def test_tags_on_changed_words_are_carried_over_to_both_references(tmp_path):
    files = [write(tmp_path / f"{k}.jsonl", [text]) for k, text in enumerate(
        ["We <emph> mean it all", "oh we mean <emph> it all", "We mean <emph> it all"])]  # fmt: skip
    assert score_files(files[0], files[1], optional=files[2]).micro.precision == 1


def test_the_second_reference_has_the_same_sentences(tmp_path, gold):
    guess = write(tmp_path / "p.jsonl", GUESS)
    for texts, said in ((SECOND[:4], r"second\.jsonl: the ids differ from the reference: 1 missing \(s4\)"),
                        ([*SECOND, "x"], r"second\.jsonl: the ids differ from the reference: 1 not in the reference \(s5\)"),
                        (["We mean that", *SECOND[1:]], r"second\.jsonl: the words of s0 are not those of the reference")):  # fmt: skip
        with pytest.raises(DataError, match=said):
            score_files(gold, guess, optional=write(tmp_path / "second.jsonl", texts))
