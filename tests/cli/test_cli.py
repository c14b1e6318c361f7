"""The commands as users and scripts call them."""

import json

import numpy as np
import pytest
import soundfile
from helpers import command, harness


def test_help_and_version():
    help_text = harness("--help").stdout.decode()
    for name in ("doctor", "tag", "train", "say", "align", "score", "benchmark", "run", "data"):
        assert name in help_text
        assert "Usage" in command(name, "--help").stdout.decode()
    assert harness("--version").stdout.decode().strip() == "0.1.0"
    assert command("sing").returncode == 2


def test_doctor_reports_what_can_run():
    report = json.loads(command("doctor", "--json").stdout)
    assert report["engines"]["espeak"]["lacks"] == []
    assert {"none", "random", "rules", "majority", "gpt2"} <= set(report["taggers"])
    assert report["listeners"]["dummy"]["lacks"] == [] and {"emphases", "distillmos"} <= set(report["listeners"])


def test_tag_keeps_lines_words_and_order():
    lines = ["We guarantee 30% savings", "", "already <emph> tagged", "tab\tand \U0001f600 https://x.y", "x " * 2000]
    done = command("tag", "--tagger", "rules", stdin="\n".join(lines).encode())
    assert done.returncode == 0, done.stderr.decode()
    out = done.stdout.decode().split("\n")[:-1]
    assert len(out) == len(lines)
    assert out[0] == "We <emph> guarantee <emph> 30% savings"
    assert out[1] == "" and out[2].replace("<emph> ", "") == "already tagged"
    assert out[3] == lines[3], "white space is kept"


def test_tag_names_an_invalid_line_and_prints_the_lines_before_it():
    done = command("tag", "--tagger", "none", stdin=b"fine\nnot <loud> fine\n")
    assert done.returncode == 2 and done.stdout == b"fine\n"
    assert b"standard input:2:5: unknown tag <loud>" in done.stderr
    done = command("tag", "--tagger", "none", "--json", stdin=b"fine\nnot [short pause] fine\n")
    assert (
        done.returncode == 2
        and b"standard input:2:5: unknown tag [short pause] (did you mean <pause_short>?" in done.stderr
    )
    done = command("tag", "--tagger", "none", stdin=b"fine\n\xff\n")
    assert done.returncode == 2 and b":2: not UTF-8" in done.stderr


def test_score_placement_prints_all_fields(tmp_path):
    gold, predicted = tmp_path / "gold.jsonl", tmp_path / "pred.jsonl"
    gold.write_text('{"id": 1, "text": "We <emph> guarantee it"}\n{"id": 2, "text": "Is it <pitch_rising> so?"}\n')
    predicted.write_text('{"id": 2, "text": "Is it so?"}\n{"id": 1, "text": "We <emph> guarantee it"}\n')
    done = command("score", "placement", gold, predicted, "--json")
    figures = json.loads(done.stdout)
    assert {"precision", "recall", "f1", "f1_low", "f1_high", "support"} <= set(figures["micro"])
    assert figures["micro"]["f1"] == pytest.approx(2 / 3) and figures["exact_match"] == 0.5
    assert figures["text_preserved"] == 1 and figures["sentences"] == 2 and len(figures["per_tag"]) == 7
    assert b"<emph>" in command("score", "placement", gold, predicted).stdout
    second = tmp_path / "second.jsonl"
    second.write_text('{"id": 1, "text": "We guarantee <emph> it"}\n{"id": 2, "text": "Is it so?"}\n')
    done = command("score", "placement", gold, predicted, "--optional", second, "--json")
    assert json.loads(done.stdout) == {**figures, "optional": json.loads(done.stdout)["optional"]}
    assert json.loads(done.stdout)["optional"]["micro"]["f1"] == 1
    assert b"either reference" in command("score", "placement", gold, predicted, "--optional", second).stdout
    predicted.write_text('{"id": 2, "text": "Is it so?"}\n')
    done = command("score", "placement", gold, predicted)
    assert done.returncode == 2 and b"1 missing (1)" in done.stderr and b"Traceback" not in done.stderr
    done = command("score", "placement", tmp_path / "no.jsonl", predicted)
    assert done.returncode == 2 and b"no.jsonl" in done.stderr


def test_say_and_score_audio(tmp_path):
    plain = "We asked every customer and they were happy"
    tagged = plain.replace("every", "<pause_long> every")
    assert command("say", tagged, "-o", tmp_path / "t.wav").returncode == 0
    said = json.loads(command("say", plain, "-o", tmp_path / "p.wav", "--json").stdout)
    assert [word["word"] for word in said["words"]] == plain.split()
    lines = [
        {"id": "good", "text": tagged, "audio": "t.wav", "plain_audio": ["p.wav"]},
        {"id": "gone", "text": tagged, "audio": "nowhere.wav", "plain_audio": ["p.wav"]},
        {"id": "mute", "text": tagged, "audio": "silent.wav", "plain_audio": ["p.wav"]},
    ]
    soundfile.write(tmp_path / "silent.wav", np.zeros(16000), 16000)
    manifest = tmp_path / "m.jsonl"
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = command("score", "audio", manifest, "--json", "--out", tmp_path / "o.jsonl")
    figures = json.loads(done.stdout)
    row = figures["paired"]["<pause_long>"]
    assert done.returncode == 2 and figures["clips"] == 3
    assert figures["unpaired"] == {} and figures["exploratory"] == []
    assert figures["thresholds"]["<pause_long>"]["threshold_from"] == "not applicable"
    assert (row["n"], row["hit"], row["unmeasurable"], row["hit_rate"]) == (3, 1, 2, 1)
    assert b"m.jsonl:2: nowhere.wav: audio file is missing" in done.stderr
    assert b"m.jsonl:3: silent.wav: the audio is silent" in done.stderr
    assert len((tmp_path / "o.jsonl").read_text().splitlines()) == 4, "three tags and one placebo"


def test_score_audio_prints_thresholds_and_exploratory_tags(tmp_path):
    tagged = "We asked <pause_long> every customer <pitch_high> and they were happy"
    for name, text in (("t", tagged), ("p", "We asked every customer and they were happy")):
        assert command("say", text, "-o", tmp_path / f"{name}.wav").returncode == 0
    (tmp_path / "m.csv").write_text(f"audio,text,plain_audio\nt.wav,{tagged},p.wav\nt.wav,{tagged},\n")
    done = command("score", "audio", tmp_path / "m.csv", "--out", tmp_path / "1.jsonl")
    shown = " ".join(done.stdout.decode().split())
    assert done.returncode == 0, done.stderr.decode()
    assert "against plain clips" in shown and "without plain clips" in shown
    assert "exploratory, since a clip is judged by itself: <pitch_high>" in shown
    assert "shipped floor: no text has three plain clips" in shown
    again = command("score", "audio", tmp_path / "m.csv", "-j", "2", "--out", tmp_path / "2.jsonl")
    assert again.stdout == done.stdout and again.stderr == b""
    assert (tmp_path / "1.jsonl").read_bytes() == (tmp_path / "2.jsonl").read_bytes()
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "manifest.csv").write_text(
        "audio,text\n" + "".join(f"../{name}.wav,We asked every customer and they were happy\n" for name in "ptx")
    )
    done = command("score", "audio", tmp_path / "m.csv", "--calibrate", tmp_path / "plain")
    assert done.returncode == 2 and b"manifest.csv:4: ../x.wav: audio file is missing" in done.stderr
    assert b"1 of 1 texts have fewer than three usable plain clips" in done.stdout
    help_text = command("score", "audio", "--help").stdout
    assert b"id,audio,text,plain_audio" in help_text and b"<emph>" in help_text


def test_say_explains_invalid_input(tmp_path):
    for arguments, message in (
        (("say", "a <loud> b"), b"unknown tag <loud>"),
        (
            ("say", 'a <break time="1s"/> b'),
            b'line 1, column 3: unknown tag <break time="1s"/> (did you mean <pause_long>?',
        ),
        (("say", "hello", "--voice", "klingon"), b"klingon"),
        (("say", "hello", "--engine", "parrot"), b"no engine is called 'parrot'"),
        (("say", ""), b"there is nothing to say"),
        (("say", "hello", "-o", tmp_path / "no" / "x.wav"), b"cannot be written"),
        (("say", "hello", "-o", tmp_path / "x.m4a"), b"x.m4a: audio cannot be written in the format '.m4a'"),
    ):
        done = command(*arguments, cwd=tmp_path)
        assert done.returncode == 2 and message in done.stderr and b"Traceback" not in done.stderr, arguments


def test_data_list_and_unknown_fetch():
    names = {row["name"] for row in json.loads(command("data", "list", "--json").stdout)}
    assert names == {"train", "heldout", "seed-examples", "seed-recordings", "helsinki-prosody", "todi", "emphassess"}
    done = command("data", "fetch", "nothing")
    assert done.returncode == 2 and b"no data set is called 'nothing'" in done.stderr


def test_hostile_names_and_unusable_files_give_one_line(tmp_path):
    manifest = tmp_path / "m.jsonl"
    line = {"id": "a\x1b[31m", "text": "We <pause_long> go", "audio": "no\nsuch\x1b.wav"}
    manifest.write_text(json.dumps(line) + "\n" + json.dumps({**line, "id": "b", "audio": "x" * 300}) + "\n")
    done = command("score", "audio", manifest, "--json")
    assert done.returncode == 2 and json.loads(done.stdout)["clips"] == 2
    assert b"\x1b" not in done.stderr and b"Traceback" not in done.stderr
    assert command("score", "audio", manifest, "--out", manifest).returncode == 2
    assert "audio" in manifest.read_text()
    done = command("score", "audio", manifest, "--out", tmp_path / "no" / "o.jsonl")
    assert done.returncode == 2 and b"cannot be written: its folder" in done.stderr
    (tmp_path / "empty.jsonl").write_text("")
    for arguments in (("score", "audio", "empty.jsonl"), ("score", "placement", "empty.jsonl", "empty.jsonl")):
        done = command(*arguments, cwd=tmp_path)
        assert done.returncode == 2 and b"empty.jsonl" in done.stderr
