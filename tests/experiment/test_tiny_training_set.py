"""The tiny training set: recordings with their manifest, checkpoints and configurations."""

import pytest
import yaml

from harness.datasets import load_examples
from harness.errors import HarnessError
from harness.experiment.tiny_training_set import MANIFEST, make_tiny_training_set, record
from harness.higgs.checkpoints import check_type
from harness.higgs.samples import read_manifest
from harness.higgs.train_config import read_config
from harness.processes.stacks import BOSON, NATIVE


def test_recordings_and_their_manifest(tmp_path):
    examples = load_examples("train")[:2]
    manifest = record(examples, tmp_path / "recordings")
    rows = read_manifest(manifest)
    assert [(row.id, row.text) for row, _ in rows] == [(one.id, one.text) for one in examples]
    assert all(path.stat().st_size > 10_000 for _, path in rows)


def test_a_tiny_training_set_is_complete(tmp_path):
    pytest.importorskip("torch")
    seen = []
    folder = make_tiny_training_set(tmp_path / "play", samples=2, progress=lambda *given: seen.append(given))
    assert seen[-1] == (5, 5)
    for stack in (NATIVE, BOSON):
        path = folder / f"train-{stack}.yaml"
        config = read_config(path)
        check_type(folder / stack, stack)
        assert (config.model, config.manifest) == (str(folder / stack), str(folder / "recordings" / MANIFEST))
        assert yaml.safe_load(path.read_text())["model"] == stack, "a relative path, so that the folder can be moved"
        assert config.batch_size == 2 and config.lora.heads
    with pytest.raises(HarnessError, match="not empty"):
        make_tiny_training_set(folder)
