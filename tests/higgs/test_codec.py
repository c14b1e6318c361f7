import importlib
import math
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from harness.audio import Audio, write_wav
from harness.errors import DataError, HarnessError, NotAvailable
from harness.higgs import codec as module
from harness.higgs.codec import RATE, codec_format, encode_files, load_codec, prepare_torchaudio

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def loaded(codec):
    return load_codec(codec)


@pytest.fixture
def wavs(tmp_path, make_sound):
    for number in range(2):
        write_wav(tmp_path / f"{number}.wav", Audio(make_sound(number, 0.3), RATE))
    return [str(tmp_path / f"{number}.wav") for number in range(2)]


def encode(codec, wavs, cache, codebooks=8, size=1024):
    return encode_files(str(codec), wavs, str(cache), codebooks, size)


@pytest.mark.parametrize("milliseconds", [50, 400])
def test_25_frames_a_second_of_8_codes(loaded, make_sound, milliseconds):
    samples = make_sound(3, milliseconds / 1000)
    codes = loaded.encode(samples)
    assert codes.shape == (8, math.ceil(len(samples) / 960))
    assert codes.min() >= 0 and codes.max() < 1024 and np.issubdtype(codes.dtype, np.integer)
    assert loaded.decode(codes).shape == (codes.shape[1] * 960,)


def test_codes_depend_on_the_sound_alone(codec, loaded, make_sound):
    one, two = make_sound(1, 0.5), make_sound(2, 0.5)
    assert (loaded.encode(one) == load_codec(codec).encode(one)).all()
    assert (loaded.encode(one) != loaded.encode(two)).mean() > 0.1
    assert (loaded.codebooks, loaded.codebook_size) == (8, 1024)


def test_a_codec_with_missing_weights_is_refused(codec, tmp_path):
    from safetensors.torch import load_file, save_file

    copy = shutil.copytree(codec, tmp_path / "copy")
    weights = load_file(copy / "model.safetensors")
    weights.pop("fc1.weight")
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(DataError, match=r"1 weights are missing: fc1\.weight"):
        load_codec(copy)


def test_a_folder_without_a_codec_is_refused(native, tmp_path):
    with pytest.raises(
        DataError, match=r"not the configuration of a Higgs Audio v2 codec .*audio tokenizer, not of the model"
    ):
        codec_format(native)
    with pytest.raises(DataError, match=r"has no config\.json"):
        codec_format(tmp_path)


def test_a_codec_of_the_other_format_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"n_q": 8, "ratios": [8, 5, 4, 2, 3], "bins": 1024}')
    assert codec_format(tmp_path) == "boson"
    with pytest.raises(HarnessError, match="codec is of the boson format, but this process has the native stack"):
        load_codec(tmp_path)


@pytest.mark.parametrize(("codebooks", "size"), [(8, 512), (4, 1024)])
def test_a_codec_that_does_not_fit_the_model_is_refused(codec, wavs, tmp_path, codebooks, size):
    with pytest.raises(DataError, match=f"codec has 8 codebooks of 1024, the model {codebooks} of {size}") as caught:
        encode(codec, wavs, tmp_path / "cache", codebooks, size)
    assert caught.value.path == str(codec)
    assert not (tmp_path / "cache").exists()


def test_codes_are_cached(codec, loaded, wavs, tmp_path, make_sound):
    paths = encode(codec, wavs, tmp_path / "cache")
    kept = [np.load(path) for path in paths]
    assert [one.shape for one in kept] == [(8, 8)] * 2
    assert (kept[0] != kept[1]).any()
    for path in paths:
        os.utime(path, (1, 1))
    assert encode(codec, wavs, tmp_path / "cache") == paths
    assert [Path(path).stat().st_mtime for path in paths] == [1, 1]  # not written again
    # the name depends on the content of the audio file
    write_wav(wavs[1], Audio(make_sound(7, 0.4), RATE))
    again = encode(codec, wavs, tmp_path / "cache")
    assert again[0] == paths[0] and again[1] != paths[1]
    assert np.load(again[1]).shape == (8, 10)
    assert len(list((tmp_path / "cache").iterdir())) == 3  # no parts are left over


def test_cache_names_depend_on_the_codec(codec, wavs, tmp_path):
    copy = shutil.copytree(codec, tmp_path / "copy")
    assert set(encode(codec, wavs, tmp_path / "cache")) == set(encode(copy, wavs, tmp_path / "cache"))
    (copy / "config.json").write_text((copy / "config.json").read_text().replace("0.5", "0.50"))
    assert not set(encode(codec, wavs, tmp_path / "cache")) & set(encode(copy, wavs, tmp_path / "cache"))


def test_other_rates_and_channels_are_converted(codec, loaded, tmp_path, make_sound):
    import soundfile

    mono = make_sound(4, 0.5)
    soundfile.write(tmp_path / "stereo.wav", np.stack([mono, mono], axis=1), RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "fast.wav", make_sound(4, 0.5, 48000), 48000, subtype="FLOAT")
    wavs = [str(tmp_path / name) for name in ("stereo.wav", "fast.wav")]
    stereo, fast = (np.load(path) for path in encode(codec, wavs, tmp_path / "cache"))
    assert (stereo == loaded.encode(mono)).all()
    # the same sound resampled: as many frames, and mostly the same first codes
    assert fast.shape == stereo.shape and (fast[0] == stereo[0]).mean() > 0.5


def test_audio_that_cannot_be_read_is_named(codec, wavs, tmp_path):
    (tmp_path / "0.wav").write_text("no sound")
    with pytest.raises(DataError, match="not readable as audio") as caught:
        encode(codec, wavs, tmp_path / "cache")
    assert caught.value.path == wavs[0]


def test_the_boson_codec(boson_checks):
    found = boson_checks("codec")
    assert found["sizes"] == [8, 1024] and found["codes"].shape == (8, 10)  # 0.4 s
    assert found["decoded"] == [9600]
    assert found["again"]
    assert found["mean_differing"] > 0.1


def test_the_boson_codec_refuses_a_wrong_file(boson_checks):
    found = boson_checks("codec")
    for kind, said in (
        ("other_weights", "1 weights are missing and 1 unexpected: quantizer.vq.layers.0.project_in.weight"),
        ("quantizer_only", "327 weights are missing and 0 unexpected: encoder.block.0.bias"),
    ):
        assert found[kind][0] == "DataError" and said in found[kind][1]
        assert found["hidden"][kind] is None  # boson_multimodal's own loader raises no error


def test_torchaudio_works_without_its_native_part(loaded):
    import torchaudio

    time = torch.arange(2400) / 24000
    slower = torchaudio.functional.resample(torch.sin(2 * torch.pi * 440 * time), 24000, 16000)
    expected = torch.sin(2 * torch.pi * 440 * torch.arange(1600) / 16000)
    assert slower.shape == (1600,)
    assert (slower - expected)[100:-100].abs().max() < 1e-2
    before = sys.modules["torchaudio"]
    prepare_torchaudio()
    assert sys.modules["torchaudio"] is before
    assert importlib.import_module("transformers.utils.import_utils").is_torchaudio_available()


def test_missing_torchaudio_is_reported(monkeypatch, tmp_path):
    monkeypatch.delitem(sys.modules, "torchaudio", raising=False)
    monkeypatch.setattr(module, "ASIDE", tmp_path / "nowhere")
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(NotAvailable, match="torchaudio is not installed"):
        prepare_torchaudio()
