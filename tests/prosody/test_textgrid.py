"""`harness align`: what it writes is a TextGrid that Praat reads, and wrong input is one clear line."""

import itertools
import json

import parselmouth
import pytest
from helpers import command
from parselmouth.praat import call, run
from praatio import textgrid

from harness.errors import DataError
from harness.prosody.textgrid import read_intervals, read_textgrid, read_transcript, write_textgrid
from harness.records import WordTime

TEXT = 'We "guarantee" 30% savings — today!'


def intervals(path):
    grid = parselmouth.read(str(path))
    assert call(grid, "Get tier name", 1) == "words"
    return [
        (call(grid, "Get start time of interval", 1, k), call(grid, "Get label of interval", 1, k))
        for k in range(1, call(grid, "Get number of intervals", 1) + 1)
    ]


def test_words_and_gaps_become_intervals(tmp_path):
    words = [WordTime(word="We", start=0.0, end=0.2), WordTime(word="—", start=0.2, end=0.2),
             WordTime(word='"pay\\"', start=0.2, end=0.5), WordTime(word="n\0ow", start=0.8, end=1.0)]  # fmt: skip
    write_textgrid(tmp_path / "x.TextGrid", words, 1.0)
    found = intervals(tmp_path / "x.TextGrid")
    assert [label for _, label in found] == ["We", '"pay\\bs"', "", "now"]
    assert [start for start, _ in found] == pytest.approx([0, 0.2, 0.5, 0.8])


@pytest.mark.parametrize("word", ["pay", "“pay”", "naïve", "支払う", "😀", "it’s", "e\u0301", "a\u200db", 'say "x"'])
def test_a_textgrid_is_utf8_for_every_reader(tmp_path, word):
    path = tmp_path / "x.TextGrid"
    write_textgrid(path, [WordTime(word=word, start=0.0, end=0.5)], 1.0)
    label = word.replace('"', '""')
    assert f'"{label}"' in path.read_text(encoding="utf-8") and not path.read_bytes().startswith(
        (b"\xff", b"\xfe", b"\xef")
    )
    assert [label for _, label in intervals(path)] == [word, ""]
    assert [entry.label for entry in textgrid.openTextgrid(str(path), False).getTier("words").entries] == [word]


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16", "try ASCII, then UTF-16"])
def test_a_textgrid_of_praat_is_read_in_any_encoding(tmp_path, encoding):
    words = [
        WordTime(word=word, start=k / 4, end=(k + 1) / 4) for k, word in enumerate(["“We", "pay”", "😀", "a\\\\b"])
    ]
    write_textgrid(tmp_path / "x.TextGrid", words, 1.5)
    grid = parselmouth.read(str(tmp_path / "x.TextGrid"))
    run(f'Text writing preferences: "{encoding}"')
    try:
        for save, name in (("Save as text file", "long"), ("Save as short text file", "short")):
            call(grid, f"{save}...", str(tmp_path / name))
    finally:
        run('Text writing preferences: "UTF-8"')
    for name in ("long", "short"):
        assert (tmp_path / name).read_bytes().startswith(b"\xfe\xff") == (encoding != "UTF-8")
        assert read_textgrid(tmp_path / name) == words
        assert read_transcript(tmp_path / name) == "“We pay” 😀 a\\\\b"


def test_another_tier_and_another_file(tmp_path):
    grid = call("Create TextGrid", 0, 1, "events said", "events")
    call(grid, "Set interval text", 2, 1, "we pay")
    grid.save_as_text_file(str(tmp_path / "x.TextGrid"))
    assert read_textgrid(tmp_path / "x.TextGrid") == [WordTime(word="we pay", start=0, end=1)]
    (tmp_path / "x.txt").write_text("We pay")
    call("Create TextGrid", 0, 1, "events", "events").save_as_text_file(str(tmp_path / "y.TextGrid"))
    for name, said in (("x.txt", "not a TextGrid"), ("y.TextGrid", "no interval tier"), ("no", "is missing")):
        with pytest.raises(DataError, match=said):
            read_textgrid(tmp_path / name)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
def test_a_transcript_may_have_a_byte_order_mark(tmp_path, encoding):
    (tmp_path / "x.txt").write_bytes(("\ufeff" * encoding.endswith("be") + "“We” pay 😀").encode(encoding))
    assert read_transcript(tmp_path / "x.txt") == "“We” pay 😀"


def test_a_textgrid_survives_a_name_that_praat_would_change(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("“x” 😀.TextGrid", "~x.TextGrid", "a b.TextGrid"):
        write_textgrid(name, [WordTime(word="pay", start=0.0, end=0.5)], 1.0)
        assert read_textgrid(name)[0].word == "pay"


def test_a_spoken_sentence_is_aligned_to_its_words(tmp_path):
    wav, script = tmp_path / "x.wav", tmp_path / "x.txt"
    script.write_text("We <emph> guarantee 30%\nsavings — today!\n")
    assert command("say", TEXT, "-o", wav).returncode == 0
    done = command("align", wav, script, "--json")
    assert done.returncode == 0, done.stderr.decode()
    times = json.loads(done.stdout)["words"]
    assert [row["word"] for row in times] == ["We", "guarantee", "30%", "savings", "—", "today!"]
    assert all(a["start"] <= b["start"] for a, b in itertools.pairwise(times))
    labels = [label for _, label in intervals(tmp_path / "x.TextGrid") if label]
    assert labels == ["We", "guarantee", "30%", "savings", "today!"]


def test_words_may_come_from_a_textgrid_in_utf16(tmp_path):
    assert command("say", "We pay you today", "-o", tmp_path / "x.wav").returncode == 0
    grid = call("Create TextGrid", 0, 1, "words", "")
    call(grid, "Set interval text", 1, 1, "“We pay” you today")
    run('Text writing preferences: "UTF-16"')
    try:
        call(grid, "Save as text file...", str(tmp_path / "said.TextGrid"))
    finally:
        run('Text writing preferences: "UTF-8"')
    done = command("align", tmp_path / "x.wav", tmp_path / "said.TextGrid")
    assert done.returncode == 0, done.stderr.decode()
    assert [label for _, label in intervals(tmp_path / "x.TextGrid") if label] == ["“We", "pay”", "you", "today"]


@pytest.mark.parametrize(("arguments", "said"), [
    (("nowhere.wav", "--text", "We pay"), b"nowhere.wav: audio file is missing, or not a file (check the path)"),
    (("nowhere.wav",), b"expected either a TRANSCRIPT file or --text"),
    (("nowhere.wav", "nowhere.txt"), b"nowhere.txt: cannot be read as text: No such file or directory (use --text"),
    (("nowhere.wav", "--text", "a <loud> b"), b"unknown tag <loud>"),
    (("nowhere.wav", "--text", "a b\nc < emph> d"), b"--text:2:3: unknown tag < emph> (did you mean <emph>?"),
])  # fmt: skip
def test_wrong_input_is_one_clear_line(arguments, said):
    done = command("align", *arguments)
    assert done.returncode == 2 and said in done.stderr and b"Traceback" not in done.stderr


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    assert command("say", "We pay", "-o", tmp_path / "x.wav").returncode == 0
    done = command("align", tmp_path / "x.wav", "--text", "We pay", "-o", tmp_path / "no" / "x.TextGrid")
    assert done.returncode == 2 and b"cannot be written" in done.stderr and b"Traceback" not in done.stderr


@pytest.mark.parametrize("ending", ["tiers? <absent>\n", "<absent>\n"])
def test_a_textgrid_without_tiers_does_not_crash_praat(tmp_path, ending):
    path = tmp_path / "x.TextGrid"
    path.write_text(f'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n1\n{ending}')
    with pytest.raises(DataError, match="has no interval tier"):
        read_textgrid(path)


def test_the_tier_is_found_in_upper_case_and_its_lines_are_those_of_the_file(tmp_path):
    path = tmp_path / "x.TextGrid"
    write_textgrid(path, [WordTime(word="We", start=0.1, end=0.4)], 1.0)
    text = path.read_text(encoding="utf-8").replace('"words"', '"Words"')
    for encoding in ("utf-8", "utf-16"):
        path.write_text(text, encoding=encoding)
        [(line, word)] = read_intervals(path)
        assert word.word == "We" and text.splitlines()[line - 1].strip() == "intervals [2]:"
