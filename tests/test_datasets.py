import functools
import hashlib
import itertools
import re
import threading
from collections import Counter
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path

import pytest
from helpers import needs_data

from harness import datasets
from harness.datasets import (
    Remote,
    RemoteFile,
    grouped_folds,
    load_examples,
    load_second_pass,
    overlap_groups,
    sentence_frame,
    word_ngrams,
)
from harness.errors import DataError, NotAvailable
from harness.tagged import CONTOURS, PAUSES, TAGS

SPLITS = "train", "heldout", "development", "test"


def test_the_embedded_sets_have_the_promised_size_and_all_tags():
    sets = [load_examples(split) for split in SPLITS]
    assert [len(examples) for examples in sets] == [98, 102, 120, 120]
    for examples in sets:
        assert {tag for example in examples for _, tag in example.tagged.tags} == set(TAGS)
        assert len({example.tagged.plain for example in examples}) == len(examples)


@pytest.mark.parametrize("pair", itertools.combinations(SPLITS, 2), ids="-".join)
def test_two_sets_share_nothing(pair):
    sides = [load_examples(split) for split in pair]
    grams = [{gram for example in side for gram in word_ngrams(example.tagged.words, 6)} for side in sides]
    frames = [{sentence_frame(example.tagged.words) for example in side} for side in sides]
    groups = [{example.group for example in side} for side in sides]
    for one, other in (grams, frames, groups):
        assert not one & other


@pytest.mark.parametrize(
    "examples", [load_examples(split) for split in SPLITS] + [load_second_pass(split) for split in SPLITS[1:]]
)
def test_labels_keep_the_limits_of_the_guide(examples):
    least = 0 if examples[0].split in {"development", "test"} else 1  # later authors left sentences untagged
    for example in examples:
        text = example.tagged
        count = Counter(tag for _, tag in text.tags)
        assert least <= len(text.tags) <= 4 and 3 * len(text.tags) <= len(text.words), example.id
        assert sum(count[tag] for tag in CONTOURS) <= 1, example.id
        for slot, tags in text.by_slot().items():
            pause_first = len(tags) == 2 and tags[0] in PAUSES and tags[1] not in PAUSES
            assert len(tags) == 1 or pause_first, (example.id, slot)


@pytest.mark.parametrize("split", SPLITS[1:])
def test_the_second_pass_labels_the_same_sentences(split):
    first, second = load_examples(split), load_second_pass(split)
    assert [(e.id, e.tagged.plain) for e in second] == [(e.id, e.tagged.plain) for e in first]
    assert [e.text for e in second] != [e.text for e in first]


def test_overlapping_windows_form_one_group_and_folds_keep_groups_whole():
    stream = [f"w{n}" for n in range(30)]
    windows = [stream[at : at + 10] for at in range(0, 20, 3)]
    assert overlap_groups([*windows, "something else altogether here and now".split()]) == [0] * 7 + [1]
    groups = [f"g{n % 7}" for n in range(50)]
    folds = grouped_folds(groups, 5, seed=1)
    assert sorted(row for _, test in folds for row in test) == list(range(50))
    for train, test in folds:
        assert not {groups[row] for row in train} & {groups[row] for row in test}
    assert grouped_folds(groups, 5, seed=1) == folds != grouped_folds(groups, 5, seed=2)
    with pytest.raises(DataError, match="expected 2 to 7 folds for 7 groups, got 8"):
        grouped_folds(groups, 8)


def test_helsinki_rows_become_utterances(tmp_path, monkeypatch):
    rows = ("<file> 1_2_3.txt", "A 0 0 0.1 0.4", "b 2 2 2.4 2.0", ". NA NA NA NA", "mr NA NA NA NA", "<file> 1_2_4.txt")
    text = "".join(row.replace(" ", "\t") + "\n" for row in (*rows, "C 1 1 0.9 0.2"))
    folder = tmp_path / "helsinki-prosody"
    folder.mkdir()
    (folder / "dev.txt").write_text(text)
    monkeypatch.setenv("HARNESS_DATA", str(tmp_path))
    with pytest.raises(DataError, match="checksum is wrong"):
        datasets.load_helsinki("dev")
    file = RemoteFile("helsinki-prosody/dev.txt", "", hashlib.sha256(text.encode()).hexdigest())
    monkeypatch.setitem(datasets.REMOTES, "helsinki-prosody", Remote("helsinki-prosody", "", "", (file,)))
    first, second = datasets.load_helsinki("dev")
    assert first.words == ("A", "b.", "mr") and first.prominence == (0, 2, -1) and first.boundary == (0, 2, -1)
    assert (second.file, second.reader, second.chapter) == ("1_2_4", "1", "1_2")


@pytest.fixture
def server(tmp_path):
    """A loopback web server that serves one file."""
    folder = tmp_path / "www"
    folder.mkdir()
    (folder / "set.json").write_text("[1, 2]")
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(folder))
    handler.log_message = lambda *_: None
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}/set.json"
        httpd.shutdown()


def remote(url, sha256):
    return Remote("x", "", "", (RemoteFile("x/set.json", url, sha256),))


def test_fetch_downloads_once_and_checks(tmp_path, monkeypatch, server):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    good = hashlib.sha256(b"[1, 2]").hexdigest()
    monkeypatch.setitem(datasets.REMOTES, "x", remote(server, good))
    said = []
    [path] = datasets.fetch("x", report=said.append)
    assert path.read_text() == "[1, 2]"
    datasets.fetch("x", report=said.append)
    assert ["downloaded" in said[0], "already here" in said[1]] == [True, True]

    path.write_text("tampered")
    assert datasets.fetch("x", report=said.append) == [path]
    assert path.read_text() == "[1, 2]"


def test_fetch_fails_in_one_line(tmp_path, monkeypatch, server):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(datasets.REMOTES, "x", remote(server, "0" * 64))
    with pytest.raises(DataError, match=r"checksum of .* is wrong"):
        datasets.fetch("x")
    assert datasets.locate("x/set.json") is None
    monkeypatch.setitem(datasets.REMOTES, "x", remote(server.replace("set.json", "no.json"), "0" * 64))
    with pytest.raises(NotAvailable, match="could not be downloaded"):
        datasets.fetch("x")
    with pytest.raises(NotAvailable, match="seed-examples"):
        datasets.fetch("nothing")


def test_the_recordings_are_pinned_to_a_commit_and_lie_in_one_folder():
    for name, count in (("todi", 125), ("emphassess", 11)):
        files = datasets.REMOTES[name].files
        assert len({file.path for file in files}) == count
        assert all(re.fullmatch(r"[0-9a-f]{64}", file.sha256) for file in files)
        assert all(
            re.match(r"https://raw\.githubusercontent\.com/[\w-]+/\w+/[0-9a-f]{40}/\S+$", file.url) for file in files
        )
    urls = {Path(file.path).name: file.url.partition("/uploads/")[2] for file in datasets.REMOTES["todi"].files}
    assert urls["exercise3A.json"] == "src/3_initial_boundary_tones/exercise3/3A/exercise3A.json"
    assert urls["2-12.wav"] == "src/2_pauses/wav/2-12.wav"
    assert urls["1C-3.TextGrid"] == "src/1_falling_contours/TextGrid/1C-3.TextGrid"


def test_an_empty_variable_hides_the_shared_folder(tmp_path, monkeypatch):
    shared = datasets.ROOT.parent / "shared" / "data"
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    monkeypatch.delenv("HARNESS_DATA", raising=False)
    assert datasets.data_folders() == [shared, tmp_path]
    monkeypatch.setenv("HARNESS_DATA", "mine")
    assert datasets.data_folders() == [Path("mine"), shared, tmp_path]
    monkeypatch.setenv("HARNESS_DATA", "")
    assert datasets.data_folders() == [tmp_path]
    with pytest.raises(NotAvailable, match="harness data fetch seed-examples"):
        datasets.load_seed_examples()


@needs_data("seed-examples")
def test_neighbouring_windows_of_the_hackathon_share_a_group():
    examples = datasets.load_seed_examples()
    assert len(examples) == 98
    assert len({e.group for e in examples}) < 80, "neighbouring windows overlap"
    assert any(a.group == b.group for a, b in pairwise(examples))
