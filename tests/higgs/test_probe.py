import json
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from harness.errors import DataError, HarnessError, NotAvailable
from harness.higgs.probe import LOADERS, ORIGINAL_MODEL, ORIGINAL_REVISION, probe, probe_in, stack_versions
from harness.higgs.tiny import BOSON_MODULE, make_tiny_checkpoint, tiny_config
from harness.paths import ROOT

UNKNOWN = "The checkpoint you are trying to load has model type `higgs_audio` but Transformers does not recognize"
MAIN, BOSON = ROOT / ".venv/bin/python", ROOT / ".venv-boson/bin/python"


def interpreter(path):
    if not path.exists():
        pytest.skip(f"{path.relative_to(ROOT)} is missing; `python3 requirements/install.py` makes it")
    return path


@pytest.fixture
def main_python():
    return interpreter(MAIN)


@pytest.fixture(scope="module")
def boson_python():
    return interpreter(BOSON)


def write_tiny(python, folder):
    code = "import sys; from pathlib import Path; from harness.higgs.tiny import make_tiny_checkpoint as make; "
    subprocess.run([python, "-c", code + "make(Path(sys.argv[1]))", folder], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def tiny(boson_python, tmp_path_factory):
    return write_tiny(boson_python, tmp_path_factory.mktemp("checkpoints") / "tiny")


@pytest.fixture
def config_only(tmp_path):
    return make_tiny_checkpoint(tmp_path / "config_only", weights=False)


def by_loader(outcomes):
    return {outcome.loader: outcome for outcome in outcomes}


def test_transformers_5_does_not_know_the_type(main_python, config_only):
    outcomes = probe_in(main_python, config_only, tuple(LOADERS))
    assert [one.loader for one in outcomes] == list(LOADERS)
    *auto, boson = outcomes
    for one in auto:
        assert (one.ok, one.loaded, one.exception) == (False, "", "ValueError")
        first, advice = one.message.split("\n")
        assert first.startswith(UNKNOWN)
        assert "pip install --upgrade transformers" in advice  # which does not help
        assert one.where.startswith("transformers/models/auto/configuration_auto.py:")
        assert 0 <= one.seconds < 60
    assert (boson.ok, boson.exception, boson.where) == (False, "ModuleNotFoundError", "")


@pytest.mark.parametrize("before", [(), ("boson_multimodal",)], ids=["bare", "package"])
def test_transformers_4_does_not_know_the_type_either(boson_python, config_only, before):
    # boson_multimodal/__init__.py is empty: importing the package alone registers nothing
    for one in probe_in(boson_python, config_only, before=before):
        assert (one.ok, one.exception) == (False, "ValueError")
        assert one.message.startswith(UNKNOWN) and "\n" not in one.message


def test_after_the_import_causal_lm_fails_differently(boson_python, tiny):
    outcomes = by_loader(probe_in(boson_python, tiny, tuple(LOADERS), before=[BOSON_MODULE]))
    assert {name: one.loaded for name, one in outcomes.items() if one.ok} == {
        "AutoConfig": "HiggsAudioConfig",
        "AutoModel": "HiggsAudioModel",
        "boson": "HiggsAudioModel",
    }
    assert not any(one.message for one in outcomes.values() if one.ok)
    for name in ("AutoModelForCausalLM", "AutoModelForTextToWaveform"):
        assert outcomes[name].exception == "ValueError"
        assert outcomes[name].message.startswith("Unrecognized configuration class <class 'boson_multimodal.model.")
        assert outcomes[name].where.startswith("transformers/models/auto/auto_factory.py:")


def test_boson_loads_without_an_import_before(boson_python, tiny):
    [one] = probe_in(boson_python, tiny, ["boson"])
    assert (one.ok, one.loaded, one.exception, one.message) == (True, "HiggsAudioModel", "", "")


def test_random_weights_are_reported(boson_python, tiny, tmp_path):
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((tiny / name).read_bytes())
    config = tiny_config()
    config["text_config"]["num_hidden_layers"] = 3
    config["audio_dual_ffn_layers"] = [0, 1, 2]
    (tmp_path / "config.json").write_text(json.dumps(config))
    [one] = probe_in(boson_python, tmp_path, ["boson"])
    assert one.ok and one.message == "14 weights are not in the checkpoint and were set at random"


def test_missing_and_broken_weights_are_outcomes(boson_python, config_only):
    [one] = probe_in(boson_python, config_only, ["boson"])
    assert (one.ok, one.exception) == (False, "OSError") and "model.safetensors" in one.message
    (config_only / "model.safetensors").write_bytes(b"not weights")
    [one] = probe_in(boson_python, config_only, ["boson"])
    assert (one.ok, one.exception) == (False, "SafetensorError")


def test_a_loader_that_fails_in_any_way_is_an_outcome(config_only):
    for config in ({}, {"model_type": 7}, {**tiny_config(), "model_type": "llama", "hidden_size": "wide"}):
        (config_only / "config.json").write_text(json.dumps(config))
        assert [one.ok for one in probe(config_only, ["AutoModel", "AutoModelForCausalLM"])] == [False, False]


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        (lambda folder: None, "cannot be read: No such file or directory"),
        (lambda folder: folder.mkdir(), "cannot be read: No such file or directory"),
        (lambda folder: (folder.mkdir(), (folder / "config.json").write_text("{")), "not JSON"),
        (lambda folder: (folder.mkdir(), (folder / "config.json").write_text("[1]")), "not a JSON object"),
        (lambda folder: (folder.mkdir(), (folder / "config.json").write_bytes(b"\xff{}")), "not JSON"),
    ],
    ids=["no folder", "empty folder", "not JSON", "a list", "not UTF-8"],
)
def test_no_usable_config_is_one_clear_error(main_python, tmp_path, prepare, said):
    folder = tmp_path / "checkpoint"
    prepare(folder)
    for call in (lambda: probe(folder), lambda: probe(str(folder)), lambda: probe_in(main_python, folder)):
        with pytest.raises(DataError, match=said) as caught:
            call()
        assert "config.json" in str(caught.value) and "give a folder" in str(caught.value)
        assert "\n" not in str(caught.value)
    done = subprocess.run([main_python, "-m", "harness.higgs.probe", folder], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "") and done.stderr.count("\n") == 1 and said in done.stderr


def test_what_cannot_be_asked_for(main_python, config_only):
    with pytest.raises(HarnessError, match="no loader is called 'AutoMagic'"):
        probe(config_only, ["AutoMagic"])
    with pytest.raises(HarnessError, match="40 digits"):
        probe(ORIGINAL_MODEL, revision="main")
    with pytest.raises(HarnessError, match="a folder none"):
        probe(config_only, revision=ORIGINAL_REVISION)
    with pytest.raises(HarnessError, match="and its revision"):
        probe(ORIGINAL_MODEL)
    with pytest.raises(NotAvailable, match=r"cannot import no_such_module: No module named"):
        probe_in(main_python, config_only, before=["no_such_module"])
    with pytest.raises(NotAvailable, match=r"requirements/install\.py"):
        probe_in(ROOT / ".venv-nowhere/bin/python", config_only)


@pytest.mark.parametrize("path", [MAIN, BOSON], ids=["main", "boson"])
def test_the_network_is_used_for_hub_names_only(path, config_only, monkeypatch, tmp_path):
    asked = []

    class Hub(BaseHTTPRequestHandler):
        def do_HEAD(self):
            asked.append(self.path)
            self.send_error(404)

        do_GET = do_HEAD

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.delenv("TRANSFORMERS_OFFLINE", raising=False)
    before = [BOSON_MODULE] if path == BOSON else []
    try:
        probe_in(interpreter(path), config_only, tuple(LOADERS), before)
        assert asked == []
        [one] = probe_in(path, ORIGINAL_MODEL, ["AutoConfig"], revision=ORIGINAL_REVISION)
        assert (one.ok, one.exception) == (False, "OSError")
        assert f"/{ORIGINAL_MODEL}/resolve/{ORIGINAL_REVISION}/config.json" in asked
    finally:
        server.shutdown()
        server.server_close()


def test_tiny_checkpoint(boson_python, tiny, tmp_path):
    again = write_tiny(boson_python, tmp_path / "again")
    for name in ("config.json", "model.safetensors"):
        assert (again / name).read_bytes() == (tiny / name).read_bytes()
    assert json.loads((tiny / "config.json").read_text()) == tiny_config()
    assert 4e6 < (tiny / "model.safetensors").stat().st_size < 6e6


def test_tiny_weights_need_boson(tmp_path):
    if stack_versions()["boson_multimodal"]:
        pytest.skip("boson_multimodal is installed here")
    with pytest.raises(NotAvailable, match=r"\.venv-boson/bin/python"):
        make_tiny_checkpoint(tmp_path / "tiny")
    with pytest.raises(HarnessError, match="weights=False"):
        make_tiny_checkpoint(tmp_path / "tiny", model_type="higgs_audio_v2")
    assert not (tmp_path / "tiny").exists()
    folder = make_tiny_checkpoint(tmp_path / "tiny", model_type="other", weights=False)
    assert [path.name for path in folder.iterdir()] == ["config.json"]


IMPORTS = (
    "import harness.tagged, harness.records, harness.store, harness.stats, harness.datasets, harness.placement, "
    "harness.higgs.probe, harness.higgs.tiny, sys; "
)


@pytest.mark.parametrize("path", [MAIN, BOSON], ids=["main", "boson"])
def test_harness_imports_in_both_environments_without_the_heavy_packages(path):
    code = IMPORTS + "print([name for name in ('torch', 'transformers', 'boson_multimodal') if name in sys.modules])"
    done = subprocess.run([interpreter(path), "-c", code], capture_output=True, text=True, cwd="/")
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "[]", "")


def test_text_output_names_versions_and_outcomes(boson_python, tiny):
    command = [boson_python, "-m", "harness.higgs.probe", tiny, "--loaders", "AutoConfig", "boson"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    versions, failed, message, loaded = done.stdout.splitlines()
    assert versions.startswith("transformers 4.46.3, torch 2.13.0") and versions.endswith("boson_multimodal 0.1.1")
    assert failed.startswith("AutoConfig: ValueError at transformers/models/auto/configuration_auto.py:")
    assert message.startswith(f"  {UNKNOWN}") and loaded.startswith("boson: loaded HiggsAudioModel, ")
