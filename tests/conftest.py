"""Fixtures shared by all tests."""

import os
import shutil
import signal

import pytest
from helpers import NOT_EMBEDDED, python_or_skip
from hypothesis import settings

from harness.higgs.tiny import make_tiny_checkpoint
from harness.processes.stacks import BOSON

pytest_plugins = ["higgs_fixtures"]

# On a busy machine, single cases are slow. The time limit of the tests ends a test that hangs.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
# Two cores: let each test process keep one, so that parallel workers do not fight over them.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# In the background of a shell, or under nohup, these signals are ignored. Every command that a test starts would inherit that.
for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)


def pytest_collection_modifyitems(items):
    """Give the marker `data` to each test that needs data that is not embedded, so that ``-m data`` runs just these."""
    for item in items:
        if any(mark.kwargs.get("reason", "").startswith(NOT_EMBEDDED) for mark in item.iter_markers("skipif")):
            item.add_marker(pytest.mark.data)


def find_browser():
    names = ("chromium", "chromium-browser", "google-chrome")
    return os.environ.get("CHROMIUM") or next((path for name in names if (path := shutil.which(name))), None)


@pytest.fixture(scope="module")  # Playwright runs an event loop in this thread: the next file's tests must find none
def browser():
    path = find_browser()
    if path is None:
        assert not os.environ.get("CI"), "CI must have a browser"
        pytest.skip("no Chromium on this machine: install it, or name it in CHROMIUM")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
        chromium = playwright.chromium.launch(executable_path=path, args=options)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def boson_python():
    """Return the interpreter of the environment of boson_multimodal."""
    return python_or_skip(BOSON)


@pytest.fixture
def config_only(tmp_path):
    """Return a folder in the original format, without weights."""
    return make_tiny_checkpoint(tmp_path / "checkpoint", weights=False)


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """Return folder and log of a GPT-2 tagger that was trained for two epochs on half of the examples."""
    from harness.datasets import load_examples
    from harness.taggers.gpt2.config import TrainingConfig
    from harness.taggers.gpt2.training import train

    folder = tmp_path_factory.mktemp("tagger") / "t"
    seen = []
    train(TrainingConfig(epochs=2, patience=2), load_examples("train")[:49], folder, log=seen.append, progress=False)
    return folder, seen
