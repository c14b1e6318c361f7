"""The samples and batches that chapter 04 makes by hand are those that the project's trainer uses."""

import json

import numpy as np
import pytest
import torch
from transformers import AutoConfig

from harness.higgs.batches import NativeCollator
from harness.higgs.samples import Sample
from harness.paths import NOTEBOOKS


@pytest.fixture
def typed(native):
    """Return the names that the page's cells define, up to the collator."""
    cells = json.loads((NOTEBOOKS / "04_training_higgs.ipynb").read_text(encoding="utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    names = {"folder": native.parent, "first": Sample("x", "Yes.", np.zeros((8, 1), int))}
    for wanted in ("def asked(", "def training_sample(", "def collate("):
        [source] = [source for source in sources if wanted in source]
        exec(source, names)
    return names


def test_a_batch_typed_by_hand_equals_the_collators(typed, native, tokenizer):
    rng = np.random.default_rng(0)
    samples = [
        Sample(str(n), text, rng.integers(0, 1024, (8, n)))
        for n, text in ((5, "We <emph> guarantee it."), (9, "Go <pause_short> now."))
    ]
    batch = typed["collate"]([typed["training_sample"](one.text, one.codes) for one in samples])
    ours = NativeCollator(tokenizer, AutoConfig.from_pretrained(native))(samples)
    batch["audio_labels"] = batch["audio_labels"][batch["audio_input_ids_mask"]]  # ours holds no padding there
    assert batch.keys() == ours.keys()
    for name, value in ours.items():
        assert torch.equal(batch[name], value), name
