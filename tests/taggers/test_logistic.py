"""Logistic regression at slots, and taggers built from a slot model."""

import numpy as np
import pytest

from harness.datasets import UNLABELLED, ProsodyUtterance
from harness.errors import DataError
from harness.records import Example
from harness.tagged import PAUSES, TAGS, Tag, TaggedText
from harness.taggers import make_tagger
from harness.taggers.fitted import THRESHOLD_FOLDS, SlotTagger, out_of_fold
from harness.taggers.logistic import LogisticModel, slot_features
from harness.taggers.majority import LookupModel
from harness.taggers.slots import CORPUS_QUESTIONS, TAG_QUESTIONS, columns, from_corpus, from_tags

PAUSE, OTHER = columns(TAG_QUESTIONS)
SAID = ["we <emph> never stop, <pause_short> ever", "you <emph> never know, <pause_short> sir", "so it goes, <pause_short> on",
        "they said it <emph> never ends", "we like it, <pause_short> too", "all of it was there"]  # fmt: skip


def examples(groups=6):
    """Return two examples per group; the last word names the group."""
    return [
        Example(id=f"e{g}-{k}", text=f"{SAID[(g + k) % len(SAID)]} g{g}", group=f"g{g}", split="train")
        for g in range(groups)
        for k in range(2)
    ]


def fitted(texts=SAID, questions=TAG_QUESTIONS):
    model = LogisticModel(questions)
    model.fit([from_tags(TaggedText.parse(text)) for text in texts] if questions is TAG_QUESTIONS else texts)
    return model


class Spy:
    """A slot model that records the groups it was trained and scored on."""

    questions = TAG_QUESTIONS

    def __init__(self):
        self.scored = set()

    def fit(self, train, dev):
        self.train, self.dev = ({text.words[-1] for text in part} for part in (train, dev))
        self.fitted_on = [text.words for text in train]

    def slot_scores(self, texts):
        self.scored |= {words[-1] for words in texts}
        return [np.full((len(words) + 1, 9), float(words[-1][1:]), dtype=np.float32) for words in texts]


def test_it_learns_words_and_punctuation():
    [score] = fitted().slot_scores(["they never rest, really".split()])
    assert score[:, OTHER].argmax(axis=1).tolist() == [0, 1, 0, 0, 0], "emphasis before never"
    assert score[:, PAUSE].argmax(axis=1).tolist() == [0, 0, 0, 1, 0], "a pause behind the comma"


def test_probabilities_add_up_for_each_question():
    model, texts = fitted(), [(), ("Never,",), ("a", "b", "c", "never")]
    for words, score in zip(texts, model.slot_scores(texts), strict=True):
        assert score.shape == (len(words) + 1, 9)
        for part in (PAUSE, OTHER):
            np.testing.assert_allclose(np.exp(score[:, part]).sum(axis=1), 1, atol=1e-5)
    assert model.slot_scores([]) == []


def test_scores_do_not_depend_on_the_neighbours_in_the_batch():
    model, texts = fitted(), [("we", "never"), (), ("so", "it", "goes")]
    for together, words in zip(model.slot_scores(texts), texts, strict=True):
        np.testing.assert_allclose(together, model.slot_scores([words])[0], atol=1e-5)


def test_a_tag_that_never_occurred_is_not_placed():
    [score] = fitted(["we <emph> never stop", "you know", "we <emph> never go"]).slot_scores([("we", "never")])
    assert (score[:, PAUSE].argmax(axis=1) == 0).all() and score[:, PAUSE.start + 1 :][:, :2].max() < -10
    assert score[1, OTHER].argmax() == 1


def test_a_single_answer_in_training_is_the_answer():
    model = fitted([from_corpus(ProsodyUtterance("1_2_3", ("a", "b"), (2, 2), (1, 1)))], CORPUS_QUESTIONS)
    [score] = model.slot_scores([("a", "b")])
    assert [score[1, part].argmax() for part in columns(CORPUS_QUESTIONS)] == [2, 1]


def test_words_without_labels_are_left_out():
    known = [from_corpus(ProsodyUtterance("1_2_3", ("big", "the"), (2, 0), (0, 2))) for _ in range(5)]
    unknown = from_corpus(ProsodyUtterance("1_2_3", ("big", "the"), (UNLABELLED,) * 2, (UNLABELLED,) * 2))
    words = [("the", "big", "one")]
    np.testing.assert_allclose(
        fitted([*known, *[unknown] * 5], CORPUS_QUESTIONS).slot_scores(words)[0],
        fitted(known, CORPUS_QUESTIONS).slot_scores(words)[0],
        atol=1e-5,
    )


def test_features_look_two_words_back_and_one_ahead():
    rows = slot_features(("We", "pay,", "Bob"))
    assert len(rows) == 4
    assert {"before=we", "last=pay", "word=bob", "next=<end>", "mark=,", "capital=True,False", "ending=bob"} <= set(
        rows[2]
    )
    assert {"last=<start>", "word=we", "capital=True,True", "from start=0", "from end=3"} <= set(rows[0])
    assert {"last=bob", "word=<end>", "from end=0"} <= set(rows[3])


def test_out_of_fold_scores_come_from_a_model_that_did_not_see_the_group():
    made = []

    def make():
        made.append(Spy())
        return made[-1]

    texts = examples(7)
    scores = out_of_fold(make, texts)
    assert len(made) == THRESHOLD_FOLDS
    everything = {example.group for example in texts}
    for spy in made:
        assert not spy.scored & (spy.train | spy.dev) and not spy.train & spy.dev
        assert spy.train and spy.dev and spy.scored | spy.train | spy.dev == everything
    assert sorted(group for spy in made for group in spy.scored) == sorted(everything), "each group once"
    for score, example in zip(scores, texts, strict=True):
        assert score.shape[0] == len(example.tagged.words) + 1 and (score == float(example.group[1:])).all()


def test_the_tagger_keeps_a_fifth_of_the_groups_as_its_dev_set():
    texts = examples(10)
    model = SlotTagger("spy", Spy, texts).model
    assert not model.train & model.dev and len(model.train) == 8 and len(model.dev) == 2


def test_the_folds_depend_on_the_seed_alone():
    first, again, other = (SlotTagger("spy", Spy, examples(10), seed=seed).model.fitted_on for seed in (1, 1, 2))
    assert first == again != other


def test_a_tagger_can_be_built_from_a_lookup_table():
    tagger = SlotTagger("lookup", lambda: LookupModel(TAG_QUESTIONS), examples())
    assert set(tagger.thresholds) == set(TAGS)
    text = TaggedText.parse("<pitch_low> they never rest")
    [tagged] = tagger.tag([text])
    assert tagged.slots(Tag.EMPH) == (1,) and tagged.words == text.words
    assert tagger.tag([text.stripped()]) == [tagged], "tags in the input are ignored"


def test_the_logistic_tagger_tags_anything():
    tagger = make_tagger("logistic", examples=examples())
    lines = ["", "you never stop, do you", "\U0001f600 — 価格", "word " * 500, "... \"' -"]
    texts = [TaggedText.from_plain(line) for line in lines]
    tagged = tagger.tag(texts)
    assert [text.words for text in tagged] == [text.words for text in texts]
    assert 1 in tagged[1].slots(Tag.EMPH)
    assert any(3 in tagged[1].slots(pause) for pause in PAUSES)
    assert tagger.tag([]) == [] and tagger.name == "logistic"


def test_too_few_groups_are_one_clear_error():
    with pytest.raises(DataError, match="expected 2 to 3 folds for 3 groups, got 5"):
        make_tagger("logistic", examples=examples(3))
