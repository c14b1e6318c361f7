"""Shared by the tests of taggers."""

import pytest

from harness.datasets import load_examples


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """Folder and log of a GPT-2 tagger trained for two epochs on half of the examples."""
    from harness.taggers.gpt2.config import TrainingConfig
    from harness.taggers.gpt2.training import train

    folder = tmp_path_factory.mktemp("tagger") / "t"
    seen = []
    train(TrainingConfig(epochs=2, patience=2), load_examples("train")[:49], folder, log=seen.append, progress=False)
    return folder, seen
