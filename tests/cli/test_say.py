"""`harness say` in pipes, with other input formats, and for many texts."""

import json

import pytest
from helpers import command

from harness.audio import read_audio
from harness.cli.speech import Input
from harness.engines import inputs


def lines(path, *records):
    path.write_text("".join(record if isinstance(record, str) else json.dumps(record) + "\n" for record in records))
    return path


def test_say_reads_a_pipe(tmp_path):
    out = tmp_path / "a.wav"
    tagged = command("tag", "--tagger", "rules", stdin=b"We guarantee 30% savings\n").stdout
    done = command("say", "-o", out, "--json", stdin=tagged)
    assert done.returncode == 0, done.stderr.decode()
    assert [word["word"] for word in json.loads(done.stdout)["words"]] == ["We", "guarantee", "30%", "savings"]
    assert command("say", "-", "-o", tmp_path / "b.wav", stdin=tagged).returncode == 0
    assert (tmp_path / "b.wav").read_bytes() == out.read_bytes()
    for stdin, said in (
        (b"", b"there is nothing to say"),
        (b"fine\nnot <loud> fine\n", b"standard input:2:5: unknown tag <loud>"),
        (b"ok\n\xff\n", b"standard input:2: not UTF-8"),
        (b'{"id": "a", "text": "b"}\n', b"speak JSON Lines with --jsonl -"),
    ):
        done = command("say", "-o", tmp_path / "c.wav", stdin=stdin)
        assert done.returncode == 2 and said in done.stderr and b"Traceback" not in done.stderr
    assert not (tmp_path / "c.wav").exists()


def test_say_reads_ssml_and_control_tags(tmp_path):
    done = command(
        "say", "--obey", "--input", "ssml", 'We <break time="600ms"/> go <emphasis/>', "-o", tmp_path / "a.wav"
    )
    assert done.returncode == 0, done.stderr.decode()
    assert b"left out: <emphasis> in line 1, column 29 (no word is inside it)" in done.stdout
    assert command("say", "We go", "-o", tmp_path / "b.wav").returncode == 0
    assert read_audio(tmp_path / "a.wav").seconds == pytest.approx(
        read_audio(tmp_path / "b.wav").seconds + 0.6, abs=0.01
    )
    done = command(
        "say",
        "--obey",
        "--input",
        "higgs_v3",
        "<|emotion:awe|>Go <|prosody:pause|>on",
        "-o",
        tmp_path / "c.wav",
        "--json",
    )
    assert "no size" in json.loads(done.stdout)["left_out"][0]
    for arguments, said in (
        (("--input", "ssml", 'We <break time="-1s"/> go'), b'line 1, column 4: time="-1s" of <break> is not valid'),
        (("--input", "ssml", "We go"), b"takes tags only, in its dialect 'ssml'"),
        (("--input", "morse", "We go"), b"morse"),
    ):
        done = command("say", *arguments, "-o", tmp_path / "d.wav")
        assert done.returncode == 2 and said in done.stderr
    assert {one.value for one in Input} == set(inputs.Input.__args__)


def test_say_many_texts_resumes_and_reports_bad_lines(tmp_path):
    source, out = tmp_path / "in.jsonl", tmp_path / "new" / "clips"
    lines(
        source, {"id": "a", "text": "We <emph> go"}, "no json\n", "\n", {"id": "b"}, {"id": "c", "text": "a <loud> b"},
        {"id": "../d", "text": "We go"}, {"id": "A", "text": "We go"}, {"id": "e", "text": " "}, {"id": 7, "text": "We go on <emph>"},
    )  # fmt: skip
    done = command("say", "--jsonl", source, "--out", out)
    assert done.returncode == 1 and done.stdout.decode().endswith("clips: 2 spoken, 0 already there, 6 failed\n")
    for number, said in ((2, "not JSON"), (4, "text"), (5, "in the text at column 3: unknown tag <loud>"),
                         (6, "cannot be the name of a file"), (7, "already used on line 1"), (8, "nothing to say")):  # fmt: skip
        [line] = [one for one in done.stderr.decode().splitlines() if one.startswith(f"harness: {source}:{number}: ")]
        assert said in line
    assert sorted(path.name for path in out.glob("[!.]*")) == ["7.wav", "a.wav", "spoken.jsonl"]
    records = {record["id"]: record for record in map(json.loads, (out / "spoken.jsonl").read_text().splitlines())}
    assert (
        records["7"]["left_out"] == ["<emph> at slot 3 (no word follows the tag)"] and records["a"]["audio"] == "a.wav"
    )

    (out / "a.wav").unlink()
    before = (out / "7.wav").stat().st_mtime_ns
    lines(source, {"id": "a", "text": "We <emph> go"}, {"id": 7, "text": "We go on <emph>"}, {"id": "f", "text": "Now"})
    report = json.loads(command("say", "--jsonl", source, "--out", out, "--json").stdout)
    assert (report["spoken"], report["kept"], report["failed"]) == (["a", "f"], ["7"], [])
    assert (out / "7.wav").stat().st_mtime_ns == before
    assert len((out / "spoken.jsonl").read_text().splitlines()) == 3


def test_say_many_texts_does_not_take_another_text_for_its_own(tmp_path):
    source = lines(tmp_path / "in.jsonl", {"id": "a", "text": "We go"})
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "a.wav").write_bytes(b"mine")
    assert command("say", "--jsonl", source, "--out", tmp_path / "own").returncode == 0
    assert (tmp_path / "own" / "a.wav").read_bytes() == b"mine", "a file that is there is kept"
    out = tmp_path / "out"
    assert command("say", "--jsonl", "-", "--out", out, stdin=source.read_bytes()).returncode == 0
    for arguments in (("--voice", "en-gb"), ("--option", "rate=150")):
        done = command("say", "--jsonl", source, "--out", out, *arguments)
        assert (
            done.returncode == 1
            and b":1: " in done.stderr
            and b"another text, or another engine or voice" in done.stderr
        )
    assert b"1 spoken" in command("say", "--jsonl", source, "--out", out, "--voice", "en-gb", "--force").stdout
    done = command("say", "--jsonl", out / "spoken.jsonl", "--out", out)
    assert done.returncode == 2 and b"also an input" in done.stderr
    for arguments, said in (
        (("We go", "--jsonl", source, "--out", out), b"got both"),
        (("--jsonl", source), b"needs a folder"),
        (("--jsonl", source, "--out", source), b"this is a file"),
        (("--jsonl", tmp_path / "none.jsonl", "--out", out), b"none.jsonl: cannot be read"),
    ):
        done = command("say", *arguments)
        assert done.returncode == 2 and said in done.stderr
