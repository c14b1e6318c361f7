"""Which outcomes are successes, which arguments the probe refuses, and when it uses the network."""

import json
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from helpers import python_or_skip

from harness.errors import DataError, HarnessError, NotAvailable
from harness.higgs.probe import LEFT_OVER, LOADS, RANDOM, UNREAD, LoadOutcome, failed, matrix, probe, probe_in, returned
from harness.higgs.tiny import BOSON_MODULE, ORIGINAL_MODEL, ORIGINAL_REVISION, tiny_config
from harness.paths import ROOT
from harness.processes.stacks import BOSON, NATIVE, python_of


def test_a_status_is_a_success_only_if_nothing_is_missing_unread_or_left_over():
    class Loaded:
        config = None

    nested = {"text_config": {"model_type": "llama"}, "rope_scaling": {"factor": 1}}
    assert returned("x", Loaded(), {}, {}, 0.1) == LoadOutcome("x", "Loaded", seconds=0.1)
    assert returned("x", Loaded(), {}, {}, 0.1).ok
    for info, config, status in (
        ({"missing_keys": ["b", "a"], "unexpected_keys": ["c"]}, nested, RANDOM),
        ({"mismatched_keys": [("a", (1,), (2,))]}, {}, RANDOM),
        ({"unexpected_keys": ["c"]}, nested, UNREAD),
        ({"unexpected_keys": ["c"]}, {}, LEFT_OVER),
        ({}, {"rope_scaling": {"factor": 1}}, LOADS),
    ):
        one = returned("x", Loaded(), info, config, 0.1)
        assert (one.status, one.ok) == (status, status == LOADS) and bool(one.notes) == (status != LOADS)
        assert one.as_json()["status"] == status
    assert returned("x", Loaded(), {"missing_keys": ["b", "a"]}, {}, 0).notes == (
        "2 weights not in the checkpoint and set at random: a, b",
    )


def test_an_error_is_shortened_and_located():
    try:
        raise KeyError("x" * 400)
    except KeyError as error:
        one = failed("x", error, 0.1, notes=["why"])
    assert (one.exception, one.where, one.notes, one.ok) == ("KeyError", "", ("why",), False)
    assert len(one.message) == 300 and one.message.endswith("…")
    assert failed("x", ValueError("a\n\n  b\nc"), 0).message == "a\nb"


def test_a_loader_that_fails_in_any_way_is_an_outcome(config_only):
    for config in ({}, {"model_type": 7}, {**tiny_config(), "model_type": "llama", "hidden_size": "wide"}):
        (config_only / "config.json").write_text(json.dumps(config))
        assert [one.ok for one in probe(config_only, ["AutoModel", "AutoModelForCausalLM"])] == [False, False]


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        (lambda folder: None, "there is no such folder"),
        (lambda folder: folder.mkdir(), r"has no config\.json"),
        (lambda folder: (folder.mkdir(), (folder / "config.json").write_bytes(b"\xff{}")), "not UTF-8"),
    ],
    ids=["no folder", "empty folder", "not UTF-8"],
)
def test_no_usable_config_is_one_clear_error(tmp_path, prepare, said):
    folder = tmp_path / "checkpoint"
    prepare(folder)
    for call_it in (lambda: probe(folder), lambda: probe(str(folder)), lambda: matrix({"it": folder})):
        with pytest.raises(DataError, match=said) as caught:
            call_it()
        assert str(folder) in str(caught.value) and "\n" not in str(caught.value)


def test_invalid_arguments_are_refused(config_only):
    with pytest.raises(HarnessError, match="no loader is called 'AutoMagic'"):
        probe(config_only, ["AutoMagic"])
    with pytest.raises(HarnessError, match=r"no setting is called 'x'.*4\.46\.3 bare"):
        matrix({"it": config_only}, ["x"])
    with pytest.raises(HarnessError, match="40 digits"):
        probe(ORIGINAL_MODEL, revision="main")
    with pytest.raises(HarnessError, match="40 digits"):
        probe(ORIGINAL_MODEL)
    with pytest.raises(HarnessError, match="a folder has no revision"):
        probe(config_only, revision=ORIGINAL_REVISION)
    with pytest.raises(NotAvailable, match=r"cannot import no_such_module: No module named"):
        probe_in(python_or_skip(NATIVE), {"it": config_only}, before=["no_such_module"])
    with pytest.raises(NotAvailable, match="make env"):
        probe_in(ROOT / ".venv-nowhere/bin/python", {"it": config_only})


@pytest.mark.parametrize("stack", [NATIVE, BOSON])
def test_the_network_is_used_for_hub_names_only(stack, config_only, monkeypatch, tmp_path):
    python_or_skip(stack)
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
    ask = (
        f"import os, {BOSON_MODULE if stack == BOSON else 'transformers'}\n"
        "from urllib.request import urlopen; from harness.higgs.probe import probe\n"
        f"probe({str(config_only)!r})\n"
        "try: urlopen(os.environ['HF_ENDPOINT'] + '/the-folder-was-probed')\n"
        "except OSError: pass\n"
        f"probe({ORIGINAL_MODEL!r}, revision={ORIGINAL_REVISION!r})"
    )
    try:
        done = subprocess.run([python_of(stack), "-c", ask], capture_output=True, text=True, cwd=ROOT)
        assert "NotAvailable" in done.stderr.splitlines()[-1] and "cannot be downloaded" in done.stderr
        assert asked[0] == "/the-folder-was-probed"
        about_it = [path for path in asked if ORIGINAL_MODEL in path]
        assert about_it and all(ORIGINAL_REVISION in path for path in about_it)
    finally:
        server.shutdown()
        server.server_close()
