"""Shared by all tests."""

import os
import shutil

import pytest
from hypothesis import settings

# A case that takes long on a busy machine is no fault; the tests' own time limit ends what hangs.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
# Two cores: let each test process keep one, so that parallel workers do not fight over them.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def find_browser():
    names = ("chromium", "chromium-browser", "google-chrome")
    return os.environ.get("CHROMIUM") or next((path for name in names if (path := shutil.which(name))), None)


@pytest.fixture(scope="session")
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
