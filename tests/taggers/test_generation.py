"""Generating tagged text token by token: constrained generation keeps the words, and batching changes nothing."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import DataError, HarnessError
from harness.tagged import PAUSES, TaggedText
from harness.taggers import make_tagger
from harness.taggers.gpt2.generation import budget, generate

ODD = ["", "\U0001f600 价格 https://x.y/?a=<emph>", "a\tb   c", "word " * 150, "x" * 500]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(st.lists(st.text(min_size=1, max_size=8).filter(lambda w: w.split() == [w]), max_size=6), max_size=4)
)
def test_constrained_generation_keeps_any_words(base, texts):
    model, encoder = base
    written = generate(model, encoder, texts, constrained=True)
    assert [text.words for text in written] == [tuple(words) for words in texts]


def test_a_slot_gets_at_most_a_pause_and_one_other_tag(base):
    """Even a model that prefers a tag to every word is limited."""
    model, encoder = base

    def eager(_module, _inputs, logits):
        logits[..., list(encoder.answers.values())] += 1000
        return logits

    hook = model.get_output_embeddings().register_forward_hook(eager)
    try:
        text = generate(model, encoder, [("We", "pay", "for", "it")], constrained=True)[0]
    finally:
        hook.remove()
    slots = text.by_slot()
    assert list(slots) == [0, 1, 2, 3, 4]
    assert all(len(tags) == 2 and tags[0] in PAUSES and tags[1] not in PAUSES for tags in slots.values())


@pytest.mark.parametrize("constrained", [True, False])
def test_batching_changes_nothing(base, constrained):
    model, encoder = base
    texts = [tuple(line.split()) for line in ("We pay", "You can save a lot of money with this plan", "Why wait?")]
    together = generate(model, encoder, texts, constrained=constrained)
    alone = [generate(model, encoder, [words], constrained=constrained)[0] for words in texts]
    assert together == alone


def test_free_generation_ends(base):
    model, encoder = base
    words = tuple("We will pay for all of it".split())
    text = generate(model, encoder, [words], constrained=False)[0]
    assert len(text.words) + len(text.tags) <= budget(encoder.prompt(words))


@pytest.mark.parametrize("decoding", ["slots", "constrained"])
def test_odd_lines_keep_their_words(trained, decoding):
    tagger = make_tagger("gpt2", adapter=trained[0], decoding=decoding)
    texts = [TaggedText.from_plain(line) for line in ODD]
    assert [text.words for text in tagger.tag(texts)] == [text.words for text in texts]


def test_free_generation_accepts_any_line(trained):
    tagger = make_tagger("gpt2", adapter=trained[0], decoding="generate")
    assert len(tagger.tag([TaggedText.from_plain(line) for line in ODD[:3]])) == 3


def test_an_unknown_decoding_is_refused(trained):
    with pytest.raises(HarnessError, match="choose one of"):
        make_tagger("gpt2", adapter=trained[0], decoding="beam")


def test_a_tagger_trained_for_slots_only_cannot_generate(trained, tmp_path):
    summary = json.loads((trained[0] / "tagger.json").read_text())
    summary["config"]["objective"] = "read"
    (tmp_path / "tagger.json").write_text(json.dumps(summary))
    with pytest.raises(DataError, match="--objective both"):
        make_tagger("gpt2", adapter=tmp_path, decoding="generate")
