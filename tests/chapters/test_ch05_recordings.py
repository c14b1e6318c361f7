"""Chapter 05: the hackathon's clips and their texts."""

import hashlib
import json

import pytest
from helpers import needs_data

from harness import datasets
from harness.chapters.ch05_data.recordings import FOLDER, load_clips
from harness.datasets import Remote, RemoteFile
from harness.errors import DataError


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Write a transcript and a list of two clips, with the texts that are given."""

    def write(*texts):
        folder = tmp_path / FOLDER
        folder.mkdir(parents=True)
        rows = [{"audio_file": f"{k}.wav", "text": text, "duration": 4.0} for k, text in enumerate(texts)]
        (folder / "transcript.txt").write_text("Leaves of <pitch_high> autumn and leaves of grass")
        (folder / "manifest.json").write_text(json.dumps(rows))
        for row in rows:
            (folder / row["audio_file"]).write_bytes(b"")
        files = tuple(
            RemoteFile(f"{FOLDER}/{path.name}", "", hashlib.sha256(path.read_bytes()).hexdigest())
            for path in folder.iterdir()
        )
        monkeypatch.setitem(datasets.REMOTES, "seed-recordings", Remote("seed-recordings", "", "", files))
        monkeypatch.setenv("HARNESS_DATA", str(tmp_path))

    return write


def test_a_clip_knows_the_place_of_its_words_in_the_transcript(made):
    made("<emph> leaves of autumn", "leaves of grass")
    clips, transcript = load_clips()
    assert sorted(clip.place for clip in clips) == [0, 4] and len(transcript) == 7


def test_a_text_that_is_not_in_the_transcript_is_named(made):
    made("leaves of tea")
    with pytest.raises(DataError, match="leaves of tea"):
        load_clips()


@needs_data("seed-recordings")
def test_the_clips_are_half_as_long_as_the_list_says():
    from harness.audio import read_audio

    clips, _ = load_clips()
    assert len(clips) == 15
    assert all(clip.seconds / read_audio(clip.file).seconds == pytest.approx(2, abs=0.01) for clip in clips)
