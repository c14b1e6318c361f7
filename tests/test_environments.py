"""The two environments: locks, conda files, and the installer's messages."""

import importlib.util
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest
from packaging.requirements import Requirement

from harness.paths import ROOT

sys.path.append(str(ROOT / "requirements"))
from conda_files import NO_DEPS, environment_files, read_project

PROJECT = read_project()
LOCKS = {"main": ("models", "audio", "book", "dev"), "boson": ("boson",)}


def pins(path):
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    pin = re.compile(r"([A-Za-z0-9._-]+)==([A-Za-z0-9._!]+)( ; python_version (==|>=) \"3\.\d+\")?")
    assert all(pin.fullmatch(line) for line in lines), "each line is one exact pin"
    found = [pin.fullmatch(line) for line in lines]
    return {one[1].lower().replace("_", "-").replace(".", "-"): one[2] for one in found}


def test_conda_files_match_pyproject():
    for path, text in environment_files(PROJECT).items():
        assert path.read_text() == text, f"{path.name} is stale: make environments"


@pytest.mark.parametrize("name", LOCKS)
def test_locks_pin_every_requirement_of_pyproject(name):
    locked = pins(ROOT / "requirements" / f"{name}.lock")
    wanted = [*PROJECT["dependencies"], *(r for e in LOCKS[name] for r in PROJECT["optional-dependencies"][e])]
    for requirement in map(Requirement, wanted):
        key = requirement.name.lower().replace("_", "-").replace(".", "-")
        assert key in locked, f"{requirement.name} is not in {name}.lock: make lock"
        assert requirement.specifier.contains(locked[key]), f"{requirement} against {locked[key]}"


def test_the_boson_stack_has_no_unwanted_packages():
    codecs = {"torchaudio", "descript-audio-codec", "descript-audiotools", "hibari-tts"}
    assert set(pins(NO_DEPS)) == {"boson-multimodal", *codecs}
    assert pins(NO_DEPS)["hibari-tts"] == pins(ROOT / "requirements" / "main.lock")["hibari-tts"]
    assert not {"torchvision", "boto3", "s3fs"} & set(pins(ROOT / "requirements" / "boson.lock"))
    assert set(pins(ROOT / "requirements" / "main-no-deps.lock")) == {"distillmos", "emphases", "xls-r-sqa"}
    assert pins(ROOT / "requirements" / "boson.lock")["torch"] == pins(ROOT / "requirements" / "main.lock")["torch"]


@pytest.fixture
def installer():
    spec = importlib.util.spec_from_file_location("install", ROOT / "requirements" / "install.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("log", "message"),
    [
        ("ERROR: Could not install: [Errno 28] No space left on device", "the disk is full"),
        ("NewConnectionError: [Errno -3] Temporary failure in name resolution", "cannot be reached"),
        ("Error: Command '... -m ensurepip' returned non-zero exit status 1", "apt install python3-venv"),
        (
            "ERROR: No matching distribution found for torch==2.13.0",
            "no build for this Python or machine (torch==2.13.0)",
        ),
        ("something\nERROR: odd", "ERROR: odd"),
        ("", "no output"),
    ],
)
def test_a_failed_installation_is_one_line(installer, tmp_path, monkeypatch, log, message):
    monkeypatch.setattr(installer, "ROOT", tmp_path)
    (tmp_path / "install.log").write_text(log)
    explained = installer.explain(tmp_path / "install.log")
    assert message in explained and "install.log" in explained and "\n" not in explained


def test_the_wrong_python_and_a_full_disk_are_named(installer, monkeypatch, tmp_path):
    monkeypatch.setattr(installer.sys, "version_info", (3, 9, 1))
    with pytest.raises(installer.Problem, match=r"needs one of 3\.11, 3\.12, 3\.13"):
        installer.check_machine()
    monkeypatch.setattr(installer.shutil, "disk_usage", lambda path: SimpleNamespace(free=1e9))
    monkeypatch.setattr(installer, "ENVIRONMENTS", {"main": (str(tmp_path / "venv"), "", 4)})
    with pytest.raises(installer.Problem, match=r"1\.0 GB are free"):
        installer.install("main")


def test_a_linked_environment_is_never_emptied(installer, monkeypatch, tmp_path):
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "kept").write_text("")
    (tmp_path / "venv").symlink_to(theirs)
    monkeypatch.setattr(installer, "ENVIRONMENTS", {"main": (str(tmp_path / "venv"), "", 0)})
    with pytest.raises(installer.Problem, match=r"is a link to .*theirs"):
        installer.install("main")
    assert (theirs / "kept").exists()


def test_an_installed_environment_is_left_alone():
    done = subprocess.run([sys.executable, ROOT / "requirements" / "install.py"], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_modules_import_without_anything_heavy():
    code = (
        "import sys, harness.tagged, harness.records, harness.store, harness.stats, harness.datasets, harness.placement, "
        "harness.taggers, harness.engines, harness.experiment, harness.publish, harness.cli\n"
        "heavy = {'torch', 'transformers', 'peft', 'matplotlib', 'parselmouth', 'pocketsphinx'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)"
    )
    for folder in (".venv", ".venv-boson"):
        python = ROOT / folder / "bin" / "python"
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, cwd=ROOT)
        assert done.returncode == 0, f"{folder}: {done.stderr}"
