"""The GPT-2 tagger in NumPy gives the scores of transformers, and starts without PyTorch."""

import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("torch")
from harness.datasets import load_examples
from harness.paths import ROOT
from harness.taggers.gpt2.arrays import ArrayGpt2
from harness.taggers.gpt2.slot_logits import slot_scores
from harness.taggers.gpt2.tagger import Gpt2Tagger

WORDS = [(), ("We",), tuple("<emph> <|endoftext|> 価格 \U0001f600 na\u00efve -- ...".split()), ("x",) * 200]


def test_the_scores_are_those_of_transformers():
    tagger = Gpt2Tagger()
    model, encoder = tagger.loaded
    texts = [*WORDS, *[example.tagged.words for example in load_examples("train")[:30]]]
    arrays = ArrayGpt2(tagger.folder / "adapter", tagger.config.prompt_format)
    assert [arrays.encoder.prompt(words).ids for words in texts] == [encoder.prompt(words).ids for words in texts]
    for ours, theirs in zip(arrays.slot_scores(texts), slot_scores(model, encoder, texts), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-3)
    assert arrays.slot_scores([]) == []


def test_the_default_tagger_does_not_import_torch():
    code = ("import sys\nfrom harness.taggers import make_tagger\nfrom harness.tagged import TaggedText\n"
            "make_tagger('gpt2').tag([TaggedText.parse('We guarantee it')])\n"
            "print([name for name in ('torch', 'transformers', 'peft', 'sklearn') if name in sys.modules])")  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout == "[]\n" and done.stderr == ""
