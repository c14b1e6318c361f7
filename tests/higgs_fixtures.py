"""Tiny checkpoints, a codec, recordings and their codes, made once for all workers and never changed by a test."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import _overfit
import numpy as np
import pytest
from filelock import FileLock

from harness.audio import write_wav
from harness.higgs.codec import encode_files
from harness.higgs.convert import convert
from harness.higgs.lora import HEADS
from harness.higgs.tiny import make_native_codec, make_tiny_apart
from harness.higgs.train_config import TrainConfig
from harness.paths import ROOT

CHECKS = Path(__file__).with_name("_boson_checks.py")
TEXTS = (
    "We <emph> guarantee it.",
    "Never again.",
    "Is it <pitch_rising> true?",
    "Well <pause_long> no.",
    "She <pitch_high> won!",
    "Go <pause_short> now.",
)


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """Make something once: ``shared(name, make)`` calls ``make(folder)`` unless another test, or worker, has."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if base.name.startswith("popen-") else base

    def once(name, make):
        folder = base / "higgs" / name
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(base / "higgs" / f"{name}.lock"):
            if not (done := base / "higgs" / f"{name}.done").exists():
                make(folder)
                done.touch()
        return folder

    return once


@pytest.fixture(scope="session")
def boson(shared, boson_python):
    """Return the tiny checkpoint in the original format."""
    pytest.importorskip("torch")
    return shared("boson", make_tiny_apart)


@pytest.fixture(scope="session")
def native(shared, boson):
    """Return the same checkpoint, converted."""
    return shared("native", lambda folder: convert(boson, folder))


@pytest.fixture(scope="module")
def tokenizer(native):
    """Return the tokenizer of the converted checkpoint."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(native)


@pytest.fixture(scope="session")
def codec(shared):
    pytest.importorskip("torch")
    return shared("codec", make_native_codec)


def sound(seed, seconds, rate=24000):
    """Return harmonics of a random tone under a random envelope."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * rate)) / rate
    pitch = rng.uniform(90, 250)
    tone = sum(rng.uniform(0.2, 1) / n * np.sin(2 * np.pi * pitch * n * time + rng.uniform(0, 6)) for n in range(1, 9))
    envelope = np.interp(time, np.linspace(0, seconds, 7), rng.uniform(0.05, 1, 7))
    return (0.2 * tone * envelope).astype(np.float32)


@pytest.fixture(scope="session")
def make_sound():
    return sound


@pytest.fixture(scope="session")
def manifest(shared):
    """Return the manifest of six short recordings with tagged texts, one of them at another rate."""

    def make(folder):
        lines = []
        for number, text in enumerate(TEXTS):
            rate = 16000 if number == 3 else 24000
            write_wav(folder / f"{number}.wav", sound_as_audio(number, 0.3 + 0.04 * number, rate))
            lines.append(json.dumps({"id": f"s{number}", "text": text, "audio": f"{number}.wav"}))
        (folder / "manifest.jsonl").write_text("\n".join(lines) + "\n")

    return shared("recordings", make) / "manifest.jsonl"


def sound_as_audio(seed, seconds, rate):
    from harness.audio import Audio

    return Audio(sound(seed, seconds, rate), rate)


@pytest.fixture(scope="session")
def codes(shared, codec, manifest):
    """Return a folder with the codes of all recordings, as a training stores them."""
    wavs = [str(manifest.with_name(f"{number}.wav")) for number in range(len(TEXTS))]
    return shared("codes", lambda folder: encode_files(str(codec), wavs, str(folder), 8, 1024))


@pytest.fixture(scope="session")
def make_config(boson, native, codec, manifest, codes):
    """Return ``make_config(output, stack=..., **settings)`` for a short training, whose output folder already contains the codes."""

    def make(output, stack="native", **settings):
        if not (output / "codes").exists():
            shutil.copytree(codes, output / "codes")
        model = {"native": native, "boson": boson}[stack]
        fields = {
            "stack": stack,
            "model": str(model),
            "codec": str(codec),
            "manifest": str(manifest),
            "output": str(output),
            "steps": 6,
            "batch_size": 2,
            "learning_rate": 2e-3,
            "save_every": 100,
        }
        lora = {"heads": HEADS, **settings.pop("lora", {})}  # random heads: without training them nothing is learned
        return TrainConfig.model_validate({**fields, **settings, "lora": lora})

    return make


@pytest.fixture(scope="session")
def samples():
    return _overfit.samples()


@pytest.fixture(scope="session")
def boson_checks(shared, boson, boson_python, make_config):
    """Return ``boson_checks(name)``, the result of a check in `_boson_checks.py`, with the arrays of its npz file."""

    def make(folder):
        runs = {name: make_config(folder / name, "boson", **settings) for name, settings in _overfit.BOSON_RUNS.items()}
        request = {"boson": str(boson), "runs": {name: config.model_dump(mode="json") for name, config in runs.items()}}
        (folder / "request.json").write_text(json.dumps(request))
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [boson_python, CHECKS, folder], capture_output=True, text=True, env=environment, timeout=500
        )
        (folder / "log.txt").write_text(done.stderr)
        assert done.returncode == 0, done.stderr[-3000:]

    folder = shared("checks", make)
    found = json.loads((folder / "checks.json").read_text())

    def check(name):
        assert "error" not in found[name], found[name]["error"]
        arrays = dict(np.load(folder / f"{name}.npz")) if (folder / f"{name}.npz").exists() else {}
        return {**found[name], **arrays, "folder": folder}

    return check
