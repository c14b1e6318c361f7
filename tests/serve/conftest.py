"""Servers that several tests ask."""

import pytest
from server_process import running


@pytest.fixture(scope="session")
def start():
    return running


@pytest.fixture(scope="session")
def espeak():
    with running(engine="espeak") as server:
        yield server


@pytest.fixture(scope="session")
def slow():
    """Without delay; its words make it misbehave, and then for two seconds at most."""
    with running("--timeout", 2.5) as server:
        yield server
