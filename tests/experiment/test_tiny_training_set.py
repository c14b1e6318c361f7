"""The tiny training set: recordings with their manifest, checkpoints and configurations."""

import numpy as np
import pytest
import yaml

from harness.audio import read_audio
from harness.datasets import load_examples
from harness.errors import HarnessError
from harness.experiment.tiny_training_set import MANIFEST, make_tiny_training_set, record
from harness.higgs.checkpoints import check_type
from harness.higgs.codec import load_codec
from harness.higgs.samples import read_manifest
from harness.higgs.train_config import read_config
from harness.higgs.training import read_samples
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


def test_a_tiny_training_set_of_speech(tmp_path):
    pytest.importorskip("torch")
    folder = make_tiny_training_set(tmp_path / "play", codec="speech", samples=2)
    config = read_config(folder / "train-native.yaml")
    samples = read_samples(config)
    codec = load_codec(config.codec)
    for sample, (_, path) in zip(samples, read_manifest(folder / "recordings" / MANIFEST), strict=True):
        assert sample.codes.shape[0] == 8 and sample.codes.shape[1] > 30
        heard = read_audio(path.with_suffix(".wav")).samples
        assert np.abs(codec.decode(sample.codes) - heard).max() < 1e-3
    with pytest.raises(HarnessError, match="is for the tiny model"):
        make_tiny_training_set(tmp_path / "other", codec="speech", model=str(folder / BOSON))
