"""What `harness run` says before and while it runs: wrong addresses, wrong fields, progress in a file."""

import http.server
import socket
import threading
import time

import pytest
from helpers import command

from harness.cli import output
from harness.cli.runs import _LONG, _PACE, _with_first_clip
from harness.engines import make_engine
from harness.errors import DataError
from harness.experiment import load_experiment, validate
from harness.experiment.before import check_parts
from harness.paths import ROOT
from harness.records import Arm, Clip

LINE = '{"id": "a", "text": "We <emph> ask for two fair prices."}\n'
FILE = "schema: harness.experiment/1\nname: own\nsentences: mine.jsonl\nengines: [{name: espeak, voice: en-us}]\n"


@pytest.fixture
def file(tmp_path):
    (tmp_path / "mine.jsonl").write_text(LINE)
    (tmp_path / "own.yaml").write_text(FILE)
    return tmp_path / "own.yaml"


def test_sentences_are_found_beside_the_experiment_and_a_finished_run_says_so(file, tmp_path):
    assert load_experiment(file).sentences == str(tmp_path / "mine.jsonl")
    assert load_experiment(ROOT / "data" / "experiments" / "quickstart.yaml").sentences == "heldout"
    first, again = (command("run", file, "--out", tmp_path / "run", "--jobs", 1) for _ in range(2))
    assert first.returncode == again.returncode == 0, first.stderr
    assert b"read from disk" not in first.stdout and b"(complete, read from disk)" in again.stdout


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (FILE.replace("engines", "enginez"), "own.yaml:4: unknown field 'enginez'; did you mean 'engines'?"),
        (FILE.replace("voice", "vioce"), "own.yaml:4: unknown field 'engines.0.vioce'; did you mean 'voice'?"),
        (FILE + "qqq: 1\n", "own.yaml:5: unknown field 'qqq' (fields of an experiment are: schema, name"),
    ],
)
def test_an_unknown_field_is_named_with_the_nearest(wrong, said, file):
    file.write_text(wrong)
    with pytest.raises(DataError) as error:
        load_experiment(file)
    assert said in str(error.value)


class Elsewhere(http.server.BaseHTTPRequestHandler):
    """Knows the path /v1/audio/speech only, and refuses an empty request."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(400 if self.path == "/v1/audio/speech" else 404)
        self.end_headers()

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"revision": "mine 7"}' if self.path == "/health" else b"{}")

    def log_message(self, *_):
        pass


def test_a_server_may_tell_the_revision_of_its_engine():
    server = http.server.HTTPServer(("127.0.0.1", 0), Elsewhere)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    engines = [make_engine("openai_speech", base_url=address + path) for path in ("/v1", "/other/v1")]
    assert [engine.served_revision() for engine in engines] == ["mine 7", "unknown"]
    server.shutdown()


def test_a_wrong_address_is_found_at_once(file, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        dead = free.getsockname()[1]
    server = http.server.HTTPServer(("127.0.0.1", 0), Elsewhere)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def asked(url):
        begun = time.monotonic()
        done = command("run", file, "--out", tmp_path / "run", "--base-url", url, "--option", "key_env=null",
                       "--option", "retries=0")  # fmt: skip
        return done, time.monotonic() - begun

    done, seconds = asked(f"http://127.0.0.1:{dead}/v1")
    assert done.returncode == 2 and b"nothing answers at 127.0.0.1" in done.stderr and seconds < 10
    done, _ = asked(f"http://127.0.0.1:{server.server_port}")
    assert done.returncode == 2 and b"usually ends in /v1" in done.stderr and b"404" in done.stderr
    done, _ = asked(f"http://127.0.0.1:{server.server_port}/v1")
    assert done.returncode == 1, "it is there, and then refuses each sentence"
    server.shutdown()


def test_progress_lines_where_there_is_no_terminal(monkeypatch, capsys):
    monkeypatch.setattr(output, "LINE_SECONDS", -1)
    with output.progress_bar("Sentences") as update:
        for done in (4, 5, 6):
            update(done, 10)
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(",")[0] for line in lines] == ["Sentences: 5 of 10", "Sentences: 6 of 10"]
    assert lines[0].endswith("min left")


@pytest.mark.parametrize(
    ("engine", "warning"),
    [
        ({"name": "espeak"}, None),
        ({"name": "espeak", "role": "negative", "options": {"dialect": "ignore"}}, None),
        (
            {"name": "openai_speech", "label": "mine", "options": {"base_url": "http://127.0.0.1:9/v1"}},
            "mine: the dialect 'ignore' drops all tags, so they count as not expressible "
            "(--option dialect=prompted sends them as they are written)",
        ),
        (
            {"name": "pausing_engine:PausingEngine"},
            "pausing_engine:PausingEngine: the dialect 'ignore' drops <emph>, so they count as not expressible",
        ),
    ],
)
def test_tags_that_an_engine_would_not_get_are_named(engine, warning, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "book" / "howto" / "examples")
    warnings = []
    spec = {"name": "x", "sentences": "quick", "limit": 1, "tags": ["<emph>", "<pause_long>"], "engines": [engine]}
    check_parts(validate(spec), warnings.append)
    assert warnings == ([warning] if warning else [])


def test_a_long_run_names_a_first_clip_and_its_length(tmp_path, capsys, monkeypatch):
    clips = [
        Clip(id=name * 8, engine="e", tagger="", sentence="s", arm=arm, text="<emph> Hi", dialect="ssml", voice="v", seed=0,
             audio=f"clips/{name}.wav", sample_rate=8000, seconds=1)
        for name, arm in (("a", Arm.TAGGED), ("b", Arm.PLAIN))
    ]  # fmt: skip
    (tmp_path / "clips.jsonl").write_text("".join(clip.line() + "\n" for clip in clips))
    now = iter([100.0, 100.0 + 12 * _PACE])
    monkeypatch.setattr("harness.cli.runs.time.monotonic", lambda: next(now))
    seen = []
    update = _with_first_clip(tmp_path, lambda done, total: seen.append(done))
    for done in range(10, 20):  # ten were done before
        update(done, 10 + _LONG)
    assert seen == [*range(10, 20)]
    assert capsys.readouterr().err.splitlines() == [
        f"harness: a first clip to listen to: {tmp_path}/clips/a.wav (<emph> Hi)",
        f"harness: about 3 min for {_LONG - _PACE - 1} more sentences",
    ]
    update = _with_first_clip(tmp_path, lambda done, total: None)
    for done in range(_LONG - 1):
        update(done, _LONG - 1)
    assert not capsys.readouterr().err, "a short run needs no such lines"
