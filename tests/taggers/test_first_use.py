"""The default GPT-2 tagger needs no training; any other says what it does, and is trained by one process at a time."""

import os
import subprocess
import sys
import threading

import pytest
from filelock import FileLock

from harness.datasets import load_examples
from harness.paths import ROOT
from harness.store import write_json

pytest.importorskip("torch")
from harness.tagged import TaggedText
from harness.taggers.gpt2 import locking, training
from harness.taggers.gpt2.config import TrainingConfig
from harness.taggers.gpt2.tagger import DISTILLED, Gpt2Tagger
from harness.taggers.gpt2.training import read_summary

TEXT = "We guarantee 30% savings"


@pytest.fixture
def clean(tmp_path, monkeypatch):
    """Let no tagger have been trained on this machine."""
    monkeypatch.setattr(training, "MODELS", tmp_path / "models")
    return tmp_path / "models"


def test_the_default_tagger_is_shipped(clean, capfd):
    name = training.tagger_folder(TrainingConfig(), load_examples("train")).name
    writes = Gpt2Tagger(decoding="constrained")
    assert writes.folder == training.SHIPPED / name, f"data/models must hold {name}"
    tagger = Gpt2Tagger()
    assert (
        tagger.folder == DISTILLED
        and read_summary(DISTILLED)["config"] == TrainingConfig.of(distil="hand_features").settings()
    )
    assert tagger.tag([TaggedText.parse(TEXT)])[0].words == tuple(TEXT.split())
    assert not clean.exists() and capfd.readouterr().err == ""  # no bars of transformers either


def test_a_tagger_trained_here_takes_precedence(clean):
    folder = training.tagger_folder(TrainingConfig(), load_examples("train"))
    folder.mkdir(parents=True)
    write_json(folder / training.SUMMARY, {})
    assert training.ensure_trained(TrainingConfig(), load_examples("train")) == folder


def test_a_first_training_says_what_it_does_and_shows_a_bar(clean, capfd):
    examples = load_examples("train")[:42]
    folder = training.ensure_trained(TrainingConfig(epochs=1), examples)
    printed = capfd.readouterr()
    assert "harness: training a GPT-2 tagger on 42 examples (base model embedded, at most 1 epochs)" in printed.err
    assert "one to three minutes" in printed.err and str(folder) in printed.err
    assert "training: 100%" in printed.err and "Loading weights" not in printed.err and not printed.out
    assert training.ensure_trained(TrainingConfig(epochs=1), examples) == folder
    assert capfd.readouterr().err == ""


def locked_out(folder, monkeypatch, capfd, finish, **options):
    """Train in a folder that another training holds; return how often it was trained after that had ended with `finish`."""
    trained = []

    def fake(config, rows, dev, folder, **_):
        trained.append(folder)
        write_json(folder / training.SUMMARY, {})

    monkeypatch.setattr(training, "_train", fake)
    folder.mkdir(parents=True)
    other = FileLock(folder / locking.LOCK)
    said = ""
    with other:
        second = threading.Thread(
            target=training.train, args=(TrainingConfig(), load_examples("train"), folder), kwargs=options
        )
        second.start()
        while "waiting" not in said and second.is_alive():
            said += capfd.readouterr().err
            second.join(0.05)
        assert f"another process is training the tagger in {folder}; waiting" in said and not trained
        finish(folder)
    second.join(60)
    assert not second.is_alive()
    return len(trained)


def completed(folder, config=None):
    write_json(folder / training.SUMMARY, {})
    rows, _ = training.grouped_folds([e.group for e in load_examples("train")], 5, 0)[0]
    texts = [training.from_tags(load_examples("train")[row].tagged) for row in rows]
    stamp = training._stamp(config or TrainingConfig(), training.TAG_QUESTIONS, texts)
    write_json(folder / training.STAMP, {"digest": stamp})


def test_the_second_training_waits_and_uses_the_result(tmp_path, monkeypatch, capfd):
    assert locked_out(tmp_path / "t", monkeypatch, capfd, completed, progress=False) == 0
    assert locked_out(tmp_path / "u", monkeypatch, capfd, completed, progress=False, if_missing=True) == 0


def test_the_second_training_goes_on_if_the_first_was_stopped_or_was_another(tmp_path, monkeypatch, capfd):
    assert locked_out(tmp_path / "t", monkeypatch, capfd, lambda folder: None, progress=False) == 1
    other = lambda folder: completed(folder, TrainingConfig(seed=1))  # noqa: E731
    assert locked_out(tmp_path / "u", monkeypatch, capfd, other, progress=False) == 1


def test_an_explicit_training_replaces_a_finished_tagger(tmp_path, monkeypatch):
    trained = []
    monkeypatch.setattr(training, "_train", lambda *_, **__: trained.append(1))
    folder = tmp_path / "t"
    folder.mkdir()
    completed(folder)
    training.train(TrainingConfig(), load_examples("train"), folder, progress=False)
    assert trained == [1]


AFTER = """
import os, sys, warnings
sys.argv = ["harness", "--version"]
from harness.__main__ import main
try:
    main()
except SystemExit as end:
    assert end.code in (0, None), end.code
warnings.warn("for developers", FutureWarning)
print(os.environ["OMP_NUM_THREADS"], "torch" in sys.modules)
"""


@pytest.mark.parametrize(("given", "threads"), [(None, "1"), ("", "1"), ("3", "3")])
def test_every_command_sets_the_number_of_threads_before_torch_is_imported(given, threads):
    environment = {
        name: value for name, value in os.environ.items() if name not in ("OMP_NUM_THREADS", "PYTHONWARNINGS")
    }
    if given is not None:
        environment["OMP_NUM_THREADS"] = given
    done = subprocess.run([sys.executable, "-c", AFTER], capture_output=True, text=True, env=environment, cwd=ROOT)
    assert done.stdout.split()[1:] == [threads, "False"], done.stderr
    assert done.stderr == ""  # FutureWarnings are hidden
