import json
import shutil

import numpy as np
import pytest

from harness.errors import DataError
from harness.higgs import samples as module
from harness.higgs.samples import load_samples, prompt, read_manifest
from harness.paths import DATA

GOOD = {"id": "a", "text": "Go <emph> on.", "audio": "a.wav"}


@pytest.fixture
def write(tmp_path):
    """Write a manifest of these lines next to ``a.wav``."""
    (tmp_path / "a.wav").write_bytes(b"RIFF")

    def written(*lines):
        path = tmp_path / "m.jsonl"
        path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
        return path

    return written


def test_the_prompt_is_a_conversation():
    assert prompt("Go <emph> on.", system="Speak.") == (
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nSpeak.<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nGo <emph> on.<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n"
    )
    with pytest.raises(DataError, match="control tokens"):
        prompt("Go <|eot_id|> on.")


def test_a_manifest_is_read(write, tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "b.wav").write_bytes(b"RIFF")
    path = write(GOOD, "", {"id": 7, "text": "No.", "audio": "b/b.wav", "speaker": "x"})
    (one, first), (two, second) = read_manifest(path)
    assert (one.id, one.text, first) == ("a", "Go <emph> on.", tmp_path / "a.wav")
    assert (two.id, two.text, second) == ("7", "No.", tmp_path / "b" / "b.wav")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({**GOOD, "id": "b", "audio": ""}, "sample 'b' has no audio: empty path"),
        ({"id": "b", "text": "Go."}, "audio"),
        (
            {**GOOD, "id": "b", "audio": "b.wav"},
            r"sample 'b' has no audio: b\.wav \(paths are relative to the manifest",
        ),
        ({**GOOD, "id": "b", "audio": "."}, "sample 'b' has no audio"),
        (GOOD, "the id 'a' was already used on line 1"),
        ({**GOOD, "id": "b", "text": "Go <|AUDIO_OUT|>"}, r"unknown tag <\|AUDIO_OUT\|>"),
        ({**GOOD, "id": "b", "text": r"Go \<|AUDIO_OUT|>"}, r"the text contains .<\|."),
        ({**GOOD, "id": "b", "text": "Go <loud> on."}, "loud"),
        ("{", "not JSON"),
        ("[1]", "expected a JSON object, got a list"),
    ],
    ids=["empty", "none", "missing", "folder", "repeated", "control", "control as text", "tag", "torn", "list"],
)
def test_a_bad_line_is_named(write, line, said):
    path = write(GOOD, line)
    with pytest.raises(DataError, match=said) as caught:
        read_manifest(path)
    assert (caught.value.path, caught.value.line) == (str(path), 2)


def test_a_manifest_without_samples_is_refused(write, tmp_path):
    with pytest.raises(DataError, match="the manifest has no samples") as caught:
        read_manifest(write("", ""))
    assert caught.value.path == str(tmp_path / "m.jsonl")
    with pytest.raises(DataError, match="cannot be read"):
        read_manifest(tmp_path / "nowhere.jsonl")


@pytest.fixture
def kept(codes, tmp_path):
    return shutil.copytree(codes, tmp_path / "kept")


def test_cached_codes_start_no_process(manifest, codec, kept, monkeypatch):
    monkeypatch.setattr(module, "call", lambda *_, **__: pytest.fail("a process was started"))
    samples = load_samples(manifest, codec, kept, 8, 1024)
    assert [sample.id for sample in samples] == [f"s{number}" for number in range(6)]
    assert samples[0].text == "We <emph> guarantee it."
    # 0.30 to 0.50 s; the fourth recording has another rate
    assert [sample.codes.shape for sample in samples] == [(8, frames) for frames in (8, 9, 10, 11, 12, 13)]
    assert all(sample.codes.dtype == np.int64 for sample in samples)
    assert len({sample.codes.tobytes() for sample in samples}) == 6


def test_only_missing_codes_are_encoded(manifest, codec, kept):
    before = load_samples(manifest, codec, kept, 8, 1024)
    one, *others = sorted(kept.iterdir())
    stamps = [path.stat().st_mtime_ns for path in others]
    one.unlink()
    after = load_samples(manifest, codec, kept, 8, 1024)
    assert one.exists()
    assert [path.stat().st_mtime_ns for path in others] == stamps
    assert all((a.codes == b.codes).all() for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("cut", [None, -9], ids=["empty", "cut"])
def test_damaged_codes_are_named(manifest, codec, kept, cut):
    path = sorted(kept.iterdir())[0]
    path.write_bytes(path.read_bytes()[:cut] if cut else b"")
    with pytest.raises(
        DataError, match=r"the cached codes cannot be read \(delete the file; it will be encoded again"
    ) as caught:
        load_samples(manifest, codec, kept, 8, 1024)
    assert caught.value.path == str(path)


def test_a_manifest_may_name_files_of_codes(write, tmp_path):
    codec = DATA / "models" / "hibari-codec"
    codes = np.arange(24, dtype=np.int16).reshape(8, 3)
    np.save(tmp_path / "a.npy", codes)
    manifest = write({**GOOD, "audio": "a.npy"})
    (sample,) = load_samples(manifest, codec, tmp_path / "cache", 8, 256)
    assert (sample.codes == codes).all() and sample.text == GOOD["text"]
    for wrong in (codes[:7], codes + 240, codes - 1, codes[:, :0], codes * 1.0):
        np.save(tmp_path / "a.npy", wrong)
        with pytest.raises(DataError, match=r"expected whole numbers from 0 to 255, of shape \(8, frames\)"):
            load_samples(manifest, codec, tmp_path / "cache", 8, 256)
    (tmp_path / "a.npy").write_bytes(b"RIFF")
    with pytest.raises(DataError, match="the codes cannot be read"):
        load_samples(manifest, codec, tmp_path / "cache", 8, 256)
