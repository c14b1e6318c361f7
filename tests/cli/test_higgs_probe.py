import json

import pytest
from helpers import python_or_skip
from typer.testing import CliRunner

from harness.cli.higgs import app
from harness.errors import DataError, HarnessError
from harness.higgs import probe
from harness.higgs.probe import LOADERS, SETTINGS, LoadOutcome, StackReport
from harness.higgs.tiny import ORIGINAL_MODEL, ORIGINAL_REVISION
from harness.processes.stacks import NATIVE


def call(*arguments):
    return CliRunner().invoke(app, ["probe", *map(str, arguments)])


@pytest.fixture
def pretended(monkeypatch):
    """Replace `matrix`, so that no process is started; return the list of its calls."""
    asked = []

    def matrix(checkpoints, settings, *, revisions=None):
        asked.append((dict(checkpoints), list(settings), revisions))
        outcomes = [
            LoadOutcome("AutoModel", exception="ValueError", message="no [bold]way[/bold]\nand an advice"),
            LoadOutcome("native", "HiggsAudioV2", missing=2, notes=("2 weights set at random",)),
            LoadOutcome("boson", "HiggsAudioModel"),
        ]
        return {name: StackReport({"transformers": "9"}, dict.fromkeys(checkpoints, outcomes)) for name in settings}

    monkeypatch.setattr(probe, "matrix", matrix)
    return asked


def test_a_real_probe_of_a_folder_without_weights(config_only):
    python_or_skip(NATIVE)
    done = call("--checkpoint", config_only, "--stack", "native", "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert report["versions"]["transformers 5"]["transformers"].startswith("5.")
    assert [one["loader"] for one in report["outcomes"]] == list(LOADERS)
    for one in report["outcomes"]:
        assert (one["checkpoint"], one["stack"]) == (str(config_only), "transformers 5")
        assert (one["status"], one["loaded"]) == ("fails", "")
    assert "model type `higgs_audio`" in report["outcomes"][0]["message"]


def test_the_table_names_the_problems_and_the_exit_code_is_0(config_only, pretended):
    done = call("--checkpoint", config_only)
    assert done.exit_code == 0
    for said in ("HiggsAudioModel", "random weights", "no [bold]way[/bold] and an advice", "2 weights set at random"):
        assert said in " ".join(done.stdout.split())
    assert done.stdout.count("2 weights set at random") == 1, "printed once for four stacks"


@pytest.mark.parametrize(
    ("stack", "settings"), [("all", list(SETTINGS)), ("boson", list(SETTINGS)[:3]), ("native", list(SETTINGS)[3:])]
)
def test_the_stack_chooses_the_settings(config_only, pretended, stack, settings):
    assert call("--checkpoint", config_only, "--stack", stack).exit_code == 0
    assert pretended == [({str(config_only): str(config_only)}, settings, None)]


def test_a_revision_is_passed_on(pretended):
    assert call("--checkpoint", ORIGINAL_MODEL, "--revision", ORIGINAL_REVISION).exit_code == 0
    assert pretended[0][2] == {ORIGINAL_MODEL: ORIGINAL_REVISION}


def test_tiny_makes_both_formats(pretended, monkeypatch):
    monkeypatch.setattr("harness.processes.call", lambda *_, folder, **__: folder)
    monkeypatch.setattr("harness.higgs.tiny.make_tiny_apart", lambda folder: folder)
    done = call("--checkpoint", "tiny", "--json")
    assert done.exit_code == 0
    assert list(pretended[0][0]) == ["tiny higgs_audio", "tiny higgs_audio_v2"]
    assert len(json.loads(done.stdout)["outcomes"]) == 3 * len(SETTINGS) * 2


def test_invalid_input_gives_one_clear_error(tmp_path, config_only):
    for arguments, said in (
        (("--checkpoint", tmp_path / "nowhere"), "there is no such folder"),
        (("--checkpoint", tmp_path), "no config.json"),
        (("--checkpoint", ORIGINAL_MODEL), "40 digits"),
        (("--checkpoint", config_only, "--revision", ORIGINAL_REVISION), "a folder has no revision"),
    ):
        done = call(*arguments)
        assert isinstance(done.exception, HarnessError) and said in str(done.exception)
        assert done.exception.exit_code == 2 and "\n" not in str(done.exception)
    (config_only / "config.json").write_text("{")
    assert isinstance(call("--checkpoint", config_only).exception, DataError)
    assert call().exit_code == 2
    assert call("--checkpoint", "tiny", "--stack", "both").exit_code == 2
