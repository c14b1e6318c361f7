"""`harness align`: what it writes is a TextGrid that Praat reads, and wrong input is one clear line."""

import itertools
import json

import parselmouth
import pytest
from helpers import command
from parselmouth.praat import call
from praatio import textgrid

from harness.prosody.textgrid import write_textgrid
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


@pytest.mark.parametrize("word", ["pay", "“pay”", "naïve", "支払う", "😀"])
def test_a_textgrid_is_utf8_for_every_reader(tmp_path, word):
    path = tmp_path / "x.TextGrid"
    write_textgrid(path, [WordTime(word=word, start=0.0, end=0.5)], 1.0)
    assert f'"{word}"' in path.read_text(encoding="utf-8")
    assert [label for _, label in intervals(path)] == [word, ""]
    assert [entry.label for entry in textgrid.openTextgrid(str(path), False).getTier("words").entries] == [word]


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
