"""The tagger `hand_features`: what it knows about a text, its models, and its file."""

import json
import re

import numpy as np
import pytest
from helpers import command

from harness.datasets import load_examples
from harness.errors import DataError
from harness.records import Example
from harness.tagged import TAGS, Tag, TaggedText
from harness.taggers import make_tagger
from harness.taggers.hand import tagger as shipped
from harness.taggers.hand.analysis import Analysis
from harness.taggers.hand.features import FAMILIES, analyse, candidates, family
from harness.taggers.hand.model import TREES, HandModel, TagModel
from harness.taggers.slots import TAG_QUESTIONS, columns, from_tags

pytest.importorskip("hibari")
ODD = ["", "\U0001f600 — 価格", "word " * 300, "... \"' -", "?", "(Really?) “Yes.”", "- - -", "$ % 3", "a\u0301 b"]


@pytest.mark.parametrize(("text", "types"), [
    ("Do you agree?", ["whether"]),
    ("Where do you live? In Rome.", ["which", "statement"]),
    ("So who pays? Wow!", ["which", "exclamation"]),
    ("It works, right?", ["check"]),
    ("If it rains, what then?", ["which"]),
    ("no mark at all", ["statement"]),
])  # fmt: skip
def test_sentences_have_types(text, types):
    assert Analysis(text.split()).types == types


def test_words_have_classes_and_clauses_have_spans():
    text = Analysis("Honestly, we never charge $20 twice; (trust me.) Twelve dogs bark".split())
    assert text.clauses == [(0, 0), (1, 5), (6, 7), (8, 10)] and text.sentences == [(0, 7), (8, 10)]
    kinds = dict(zip(text.bare, text.kind, strict=True))
    assert (kinds["never"], kinds["$20"], kinds["twice"], kinds["twelve"]) == (
        "negation",
        "number",
        "quantity",
        "number",
    )
    assert (kinds["we"], kinds["dogs"]) == ("pronoun", "noun") and text.mark[0] == "," and text.mark[7] == "."
    assert [word for word, strong in zip(text.bare, text.strong, strict=True) if strong] == [
        "never",
        "$20",
        "twice",
        "twelve",
    ]


def test_candidates_are_where_the_guide_puts_a_tag():
    text = Analysis("The dog barks, and it bites. Why?".split())
    assert candidates(text, Tag.EMPH) == [1, 2, 3, 4, 5, 6] and candidates(text, Tag.PAUSE_LONG) == [3, 6]
    assert candidates(text, Tag.PITCH_RISING) == [5, 6] and candidates(text, Tag.PITCH_LOW) == [0, 3, 4, 6]
    gold = [example.tagged for example in load_examples("train")]
    reached = [slot in candidates(Analysis(t.words), tag) for t in gold for slot, tag in t.tags]
    assert np.mean(reached) > 0.97


def test_features_name_their_family_and_givenness_is_seen():
    _, [rows] = analyse(["They ship boxes, we ship crates.".split()])
    families = {name for names in FAMILIES.values() for name in names}
    assert all(family(name) in families for row in rows for name in row)
    assert rows[4]["word given"] == 1 and "word given" not in rows[1] and rows[1]["word repeated"] == 1
    assert rows[5]["word after given"] == 1 and rows[3]["gap mark ,"] == 1


def test_the_kept_arrays_give_the_probabilities_of_scikit_learn():
    from sklearn.ensemble import HistGradientBoostingClassifier

    generator = np.random.default_rng(0)
    values = generator.normal(size=(200, 6)).round(2)
    wanted = values[:, 0] + values[:, 1] ** 2 > 1
    rows = [{f"word {k}": value for k, value in enumerate(row) if value} for row in values]
    model = TagModel.fit(rows, wanted, seed=0)
    order = [int(name.split()[1]) for name in model.features]
    direct = HistGradientBoostingClassifier(**TREES, early_stopping=False).fit(values[:, order], wanted)
    log_odds = direct.decision_function(values[:, order])
    np.testing.assert_allclose(model.trees.log_odds(values[:, order]), log_odds, atol=1e-9)
    again = TagModel.from_json(json.loads(json.dumps(model.as_json())))
    np.testing.assert_allclose(again.probabilities(rows), model.probabilities(rows), atol=1e-4)
    assert TagModel.fit(rows, np.arange(200) == 3, seed=0) is None, "one example is too few"


def test_the_shipped_model_is_what_training_gives(tmp_path):
    kept = json.loads(shipped.SHIPPED.read_text())
    shipped.train(load_examples("train"), tmp_path / "m.json")
    again = json.loads((tmp_path / "m.json").read_text())
    assert {**again, "tags": 0} == {**kept, "tags": 0} and set(kept["tags"]) == {tag.value for tag in TAGS}
    words = [example.tagged.words for example in load_examples("train")]
    scores = [
        make_tagger("hand_features", adapter=path).model.slot_scores(words) for path in (None, tmp_path / "m.json")
    ]
    for one, other in zip(*scores, strict=True):
        assert one.shape[1] == 9
        for part in columns(TAG_QUESTIONS):
            np.testing.assert_allclose(np.exp(one[:, part]).sum(axis=1), 1, atol=1e-5)
        np.testing.assert_allclose(np.exp(one), np.exp(other), atol=1e-3)


def test_it_tags_anything_and_keeps_the_limits():
    tagger = make_tagger("hand_features")
    texts = [
        TaggedText.from_plain(line)
        for line in [*ODD, "Do you guarantee it?", "We pay 30 days, you pay 20 days, they pay 10 days."]
    ]
    tagged = tagger.tag(texts)
    assert [text.words for text in tagged] == [text.words for text in texts] and tagger.tag([]) == []
    assert tagged[-2].slots(Tag.PITCH_RISING) == (3,) and len(tagged[-1].slots(Tag.EMPH)) <= 2
    assert len(make_tagger("hand_features", limits=False).tag(texts)[-1].tags) > len(tagged[-1].tags)
    for text, one in zip(texts, tagged, strict=True):
        assert tagger.tag([text]) == [one], "the neighbours in a batch do not matter"


def test_a_model_trained_on_other_examples_is_used(tmp_path):
    lines = [
        Example(id=f"e{k}", text=f"so it <emph> zorps {'now' * (k % 2)}", group=f"g{k}", split="train").line()
        for k in range(20)
    ]
    (tmp_path / "mine.jsonl").write_text("\n".join(lines) + "\n")
    done = command("train", "hand_features", "--data", tmp_path / "mine.jsonl", "--out", tmp_path / "m.json")
    assert done.returncode == 0 and re.search(rb"m\.json: 1 tags, \d+ features, 20 examples", done.stdout), done.stderr
    done = command("tag", "--tagger", "hand_features", "--adapter", tmp_path / "m.json", stdin=b"so it zorps\n")
    assert done.stdout == b"so it <emph> zorps\n" and done.stderr == b""
    done = command("train", "hand_features", "--data", tmp_path / "mine.jsonl", "--out", tmp_path / "m.json")
    assert done.returncode == 2 and b"--force" in done.stderr


def test_bad_files_and_examples_without_tags_are_one_clear_error(tmp_path):
    with pytest.raises(DataError, match="there is no model file"):
        make_tagger("hand_features", adapter=tmp_path / "none.json")
    for content in (
        "{}",
        '{"schema": "harness.hand_features/9"}',
        '{"schema": "harness.hand_features/1", "tags": {"<x>": 1}}',
    ):
        (tmp_path / "m.json").write_text(content)
        with pytest.raises(DataError, match=r"m\.json: not a model of hand_features"):
            make_tagger("hand_features", adapter=tmp_path / "m.json")
    with pytest.raises(DataError, match="none of the 3 examples has one"):
        shipped.train(
            [Example(id=f"{k}", text="plain text", group="g", split="train") for k in range(3)], tmp_path / "x.json"
        )
    with pytest.raises(ValueError, match="tags only"):
        HandModel(TAG_QUESTIONS[:1])
    HandModel().fit([from_tags(TaggedText(()))])


def test_commas_of_lists_are_no_places_for_pauses():
    for text, expected in [
        ("We have apples, ripe pears, and plums.", {3, 5}),
        ("Bring the lamp, a rope or two, or nothing, and call us.", {3, 7}),
        ("We sell tea, we buy tea, and we drink it.", set()),  # clauses, not items
        ("Take the red one, and the blue one.", set()),  # one comma
        ("Tea, milk, sugar. And a spoon.", set()),
    ]:
        found = Analysis(text.split())
        assert found.list_gaps == expected
        assert not expected & set(candidates(found, Tag.PAUSE_SHORT))


def test_a_number_may_have_several_words():
    rows = analyse(["It takes three to five days at nine fifteen .".split()])[1][0]
    assert [i for i, row in enumerate(rows) if row.get("word second number")] == [4, 8]
