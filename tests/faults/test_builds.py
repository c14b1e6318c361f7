"""Killed and interrupted builds keep the state of finished tasks, and publish no incomplete page."""

import json
import signal
import subprocess
import sys
import time

import pytest
from doit.dependency import JSONCodec
from processes import Command, interrupted

from harness.paths import ROOT
from harness.publish import build as site
from harness.publish.build import SiteFailed
from harness.publish.doit_state import KeptJson

DODO = """
from pathlib import Path
from harness.publish import sources
import dodo
DOIT_CONFIG = dodo.DOIT_CONFIG | {"dep_file": "state.json", "default_tasks": ["second"]}
def task_first():
    return {"actions": [(dodo.run, ["touch", Path("first").absolute()])], "file_dep": ["source"], "targets": ["first"]}
def task_second():
    return {"actions": [(dodo.run, [PYTHON, "-c", "import time, pathlib; pathlib.Path('begun').touch(); time.sleep(600)"])],
            "file_dep": ["first"], "targets": ["second"]}
""".replace("PYTHON", repr(sys.executable))
"""A build of two tasks with the functions and settings of this project; the second task never ends."""


@pytest.fixture
def build(tmp_path):
    program = DODO.replace("'begun'", repr(str(tmp_path / "begun")))
    (tmp_path / "dodo_of_test.py").write_text(program)
    (tmp_path / "source").write_text("source")
    (tmp_path / "pyproject.toml").write_text(
        '[tool.doit.plugins.backend]\nkept = "harness.publish.doit_state:KeptJson"\n'
    )
    return [sys.executable, "-m", "doit", "-f", "dodo_of_test.py"], {"cwd": tmp_path, "env": {"PYTHONPATH": str(ROOT)}}


def test_a_killed_build_keeps_finished_tasks_and_leaves_no_process(tmp_path, build):
    command, options = build
    for attempt in range(2):
        (tmp_path / "begun").unlink(missing_ok=True)
        running = Command(command, tmp_path / "log", **options)
        try:
            while not (tmp_path / "begun").exists() and running.process.poll() is None:
                time.sleep(0.02)
            assert running.process.poll() is None, running.said
            running.kill("parent")
            assert running.left()[0] == []
        finally:
            running.end()
        assert "first" in json.loads((tmp_path / "state.json").read_text())
        assert (".  first" in running.said, "-- first" in running.said) == (attempt == 0, attempt == 1)


def test_an_interrupted_build_gives_one_line(tmp_path, build):
    command, options = build
    code, said, left = interrupted(command, tmp_path / "log", (tmp_path / "begun").exists, **options)
    assert (code, left) == (130, [])
    assert said.splitlines().count("interrupted; finished tasks are kept, and the same command resumes them") == 1
    assert "doit" not in said
    assert "first" in json.loads((tmp_path / "state.json").read_text())


def test_the_state_is_complete_after_each_task_and_a_damaged_state_is_ignored(tmp_path):
    path = tmp_path / "state.json"
    state = KeptJson(str(path), JSONCodec())
    state.set("one", "checker:", "MD5Checker")
    assert not path.exists()
    state.set("one", "deps:", ["a"])
    assert json.loads(path.read_text()) == {"one": {"checker:": "MD5Checker", "deps:": ["a"]}}
    path.write_text(path.read_text()[:20])
    assert not KeptJson(str(path), JSONCodec()).in_("one")


@pytest.mark.parametrize(("code", "again"), [(0, False), (1, False), (-signal.SIGKILL, True)])
def test_after_a_killed_sphinx_every_page_is_built_again(tmp_path, monkeypatch, code, again):
    commands = []

    def call(command, **_):
        commands.append(command)
        assert (tmp_path / "site.begun").exists()
        return subprocess.CompletedProcess(command, code if len(commands) == 1 else 0)

    monkeypatch.setattr(site, "BEGUN", tmp_path / "site.begun")
    monkeypatch.setattr(site, "LOG", tmp_path / "site.log")
    monkeypatch.setattr(site, "_everything_is_stale", lambda: False)
    monkeypatch.setattr(site.subprocess, "run", call)
    if code:
        with pytest.raises(SiteFailed):
            site.build()
    else:
        site.build()
    site.build()
    assert ["--all" in command for command in commands] == [False, again]
    assert not (tmp_path / "site.begun").exists()


def test_a_warning_of_sphinx_is_shown_without_its_colours(tmp_path, monkeypatch):
    def call(command, stdout, **_):
        stdout.write("reading\n\x1b[91mindex.md:3: WARNING: no such page\x1b[39;49;00m\n")
        return subprocess.CompletedProcess(command, 1)

    monkeypatch.setattr(site, "BEGUN", tmp_path / "site.begun")
    monkeypatch.setattr(site, "LOG", tmp_path / "site.log")
    monkeypatch.setattr(site.subprocess, "run", call)
    with pytest.raises(SiteFailed, match=r"not built cleanly:\n  index\.md:3: WARNING: no such page$"):
        site.build()
