"""No command overwrites an input, and none overwrites another existing file without `--force`."""

import json
import os

import pytest
from helpers import command

from harness.errors import DataError
from harness.outputs import check_output, check_output_folder, move_into
from harness.store import write_atomic

KEEP = b"made by hand"
SAID = "We guarantee thirty percent savings today"


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "x.wav"
    assert command("say", SAID, "-o", path).returncode == 0
    return path.read_bytes()


@pytest.fixture
def folder(tmp_path, clip):
    (tmp_path / "x.wav").write_bytes(clip)
    (tmp_path / "x.txt").write_text(SAID)
    (tmp_path / "m.jsonl").write_text(json.dumps({"text": f"<emph> {SAID}", "audio": "x.wav"}) + "\n")
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "manifest.csv").write_text(f"audio,text\n../x.wav,{SAID}\n")
    (tmp_path / "exp.yaml").write_text("name: small\nengines: [espeak]\ntaggers: [gold]\nlimit: 1\n")
    (tmp_path / "kept").write_bytes(KEEP)
    return tmp_path


def refused(folder, words, said):
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    done = command(*words, cwd=folder)
    assert done.returncode == 2 and said in done.stderr.decode(), done.stderr.decode()
    assert len(done.stderr.splitlines()) == 1 and done.stdout == b""
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("words", [
    "align x.wav --text hello -o x.wav",
    "align x.wav x.txt -o x.txt",
    "align x.wav x.txt -o plain/../x.wav",
    "align x.wav x.txt -o link.wav",
    "align x.wav x.txt -o hard.wav",
    "score audio m.jsonl --out m.jsonl",
    "score audio m.jsonl --out x.wav",
    "score audio m.jsonl --calibrate plain --out plain/manifest.csv",
    "run exp.yaml --result exp.yaml",
    "run exp.yaml --out run --result run/summary.json",
    "say hello --engine higgs_native --option reference_audio=x.wav -o x.wav",
    "chapter run 07 --output {notebook}",
])  # fmt: skip
def test_an_input_is_never_overwritten(folder, words):
    from harness.paths import NOTEBOOKS

    (folder / "link.wav").symlink_to("x.wav")
    os.link(folder / "x.wav", folder / "hard.wav")
    (folder / "run").mkdir()
    given = [word.format(notebook=NOTEBOOKS / "07_tag_placement.ipynb") for word in words.split()]
    for more in ([], ["--force"]):
        refused(folder, [*given, *more], "it is also an input of this command (choose another name)")


@pytest.mark.parametrize("words", [
    "say hello -o kept",
    "say hello",
    "align x.wav x.txt -o kept",
    "align x.wav x.txt",
    "score audio m.jsonl --out kept",
    "run exp.yaml --out run --result kept",
    "chapter run 07 --output kept",
    "benchmark suite --only agreement --out kept.json",
    "benchmark suite --done-only --out kept",
    "train gpt2 --out tagger",
])  # fmt: skip
def test_an_existing_file_is_refused(folder, words):
    for name in ("speech.wav", "x.TextGrid", "tagger/tagger.json"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(KEEP)
    (folder / "kept.json").write_text("{}")
    said = "not a result file" if "kept.json" in words else "already exists (choose another name, or add --force"
    refused(folder, words.split(), said)


@pytest.mark.parametrize("words", [
    "train base --out full",
    "train gpt2 --out full",
    "higgs tiny full",
    "higgs convert SOURCE full",
])  # fmt: skip
def test_a_folder_that_is_not_empty_is_refused(folder, words):
    (folder / "full").mkdir()
    (folder / "full" / "note").write_bytes(KEEP)
    (folder / "SOURCE").mkdir()
    (folder / "SOURCE" / "config.json").write_text("{}")
    refused(folder, words.split(), "full: the folder is not empty (choose a new one, or add --force")


def test_force_overwrites_another_file(folder):
    for words in ("say hello -o kept", "align x.wav x.txt -o kept", "score audio m.jsonl --out kept --no-leaks"):
        (folder / "kept").write_bytes(KEEP)
        done = command(*words.split(), "--force", cwd=folder)
        assert done.returncode == 0, done.stderr.decode()
        assert (folder / "kept").read_bytes() != KEEP, words


def test_a_run_may_write_its_own_result_again(folder):
    words = ("run", "exp.yaml", "--out", "run", "--result", "r.json", "-j", "1")
    assert command(*words, cwd=folder).returncode == 0
    before = (folder / "r.json").read_bytes()
    assert command(*words, cwd=folder).returncode == 0 and (folder / "r.json").read_bytes() == before
    (folder / "r.json").write_text("{}")
    refused(folder, words, "r.json: the file already exists")
    assert command(*words, "--force", cwd=folder).returncode == 0 and (folder / "r.json").read_bytes() == before


def test_a_page_that_is_no_listening_test_is_kept(folder):
    from harness.listening.kit import KEY, PAGE, write_kit

    assert command("run", "exp.yaml", "--out", "run", "-j", "1", cwd=folder).returncode == 0
    (folder / "out").mkdir()
    (folder / "out" / PAGE).write_bytes(KEEP)
    with pytest.raises(DataError, match="already exists"):
        write_kit(folder / "run", folder / "out", trials=2)
    assert (folder / "out" / PAGE).read_bytes() == KEEP
    write_kit(folder / "run", folder / "out", trials=2, replace=True)
    write_kit(folder / "run", folder / "out", trials=2)  # the same test again
    assert (folder / "out" / KEY).is_file() and (folder / "out" / PAGE).read_bytes() != KEEP


def test_a_device_or_pipe_stays_one(tmp_path):
    check_output("/dev/null")
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    check_output(tmp_path / "pipe")
    write_atomic(tmp_path / "pipe", "said")
    assert os.read(reader, 10) == b"said" and not (tmp_path / "pipe").is_file()
    os.close(reader)


def test_impossible_outputs_are_named(tmp_path):
    (tmp_path / "file").touch()
    for path, said in ((tmp_path, "it is a folder"), (tmp_path / "no" / "x", "its folder does not exist"),
                       (tmp_path / ("x" * 300), "File name too long")):  # fmt: skip
        with pytest.raises(DataError, match=f"cannot be written: {said}"):
            check_output(path)
    with pytest.raises(DataError, match="expected a folder"):
        check_output_folder(tmp_path / "file")
    with pytest.raises(DataError, match="also an input"):
        check_output_folder(tmp_path, inputs=[tmp_path], force=True)


def test_a_finished_folder_replaces_files_and_keeps_others(tmp_path):
    made, old = tmp_path / "made", tmp_path / "old"
    for path, text in ((made / "a", "new"), (made / "sub" / "b", "new"), (old / "a", "old"), (old / "c", "old")):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    move_into(made, old)
    assert {str(p.relative_to(old)): p.read_text() for p in old.rglob("*") if p.is_file()} == {
        "a": "new", "sub/b": "new", "c": "old"}  # fmt: skip
