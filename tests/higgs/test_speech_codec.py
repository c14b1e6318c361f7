"""The codec of the small Higgs keeps what it was fitted to, and refuses what it cannot do."""

import numpy as np
import pytest

from harness.errors import DataError, HarnessError
from harness.higgs.codec import check_fits, load_codec
from harness.higgs.speech.codec import WEIGHTS, Frames, fit_codec, joined, load_speech_codec, pitch_features
from harness.paths import DATA

FOLDER = DATA / "models" / "hibari-codec"


def some_frames(count=300, seed=0):
    rng = np.random.default_rng(seed)
    tilt = np.linspace(2, -3, 601, dtype=np.float32)[:, None]
    level = rng.normal(0, 1, (1, count)).astype(np.float32)
    f0 = np.where(np.arange(count) % 7 < 5, 200 + 40 * np.sin(np.arange(count) / 9), 0).astype(np.float32)
    noise = rng.normal(0, 0.1, (601, count)).astype(np.float32)
    return Frames(tilt + level, noise, noise - 3, tilt + level / 2 - 1, noise, f0)


@pytest.fixture(scope="module")
def codec():
    return load_speech_codec(FOLDER)


def test_a_fit_is_reproducible_and_keeps_f0(tmp_path):
    clips = [some_frames(seed=seed) for seed in range(4)]
    one, two = (fit_codec(clips, seed=3) for _ in range(2))
    codes = one.encode_frames(clips[0])
    assert codes.shape == (8, 100)
    assert (codes == two.encode_frames(clips[0])).all()
    back = one.frames(codes)
    voiced = clips[0].f0 > 40
    assert ((back.f0 > 40) == voiced).all()
    assert np.median(np.abs(12 * np.log2(back.f0[voiced] / clips[0].f0[voiced]))) < 0.2
    one.save(tmp_path / "codec")
    assert (load_codec(tmp_path / "codec").encode_frames(clips[0]) == codes).all()


def test_the_beginning_of_a_stream_can_be_decoded_alone(codec):
    codes = np.random.default_rng(0).integers(0, 256, (8, 30))
    whole, part = codec.decode(codes), codec.decode(codes[:, :20])
    assert len(whole) == 30 * codec.frame_samples
    same = 15 * codec.frame_samples
    np.testing.assert_allclose(part[:same], whole[:same], atol=1e-4)


def test_unvoiced_frames_carry_the_mean_of_their_group():
    features = pitch_features(np.array([180.0, 0.0, 360.0, 0.0]))
    np.testing.assert_allclose(features[0], [0, 6, 12, 8, 0, 8], atol=1e-5)
    assert features.shape == (2, 6)


def test_it_refuses_recordings_other_codes_and_other_models(codec):
    with pytest.raises(HarnessError, match="encodes frames of the voice hibari, not recordings"):
        codec.encode(np.zeros(2400, np.float32))
    with pytest.raises(HarnessError, match=r"8 rows of codes from 0 to 255, not an array of shape \(7, 4\)"):
        codec.decode(np.zeros((7, 4), int))
    with pytest.raises(DataError, match="the codec has 8 codebooks of 256, the model 8 of 1024"):
        check_fits(codec, 8, 1024, FOLDER)


def test_damaged_files_are_named(tmp_path):
    (tmp_path / WEIGHTS).write_bytes((FOLDER / WEIGHTS).read_bytes()[:1000])
    with pytest.raises(DataError, match="cannot be read"):
        load_speech_codec(tmp_path)
    with np.load(FOLDER / WEIGHTS) as file:
        tables = dict(file)
    np.savez(tmp_path / WEIGHTS, **(tables | {"spectra": tables["spectra"][:4]}))
    with pytest.raises(DataError, match=r"spectral codebooks have shape \(4, 256, 180\), not \(7, 256, 180\)"):
        load_speech_codec(tmp_path)


def test_frames_can_be_joined_cut_and_made_louder():
    frames = some_frames(20)
    both = joined([frames.cut(0, 5), frames.cut(5, 20)])
    np.testing.assert_array_equal(both.harmonic, frames.harmonic)
    np.testing.assert_allclose(both.louder(np.full(20, 0.5)).residual, frames.residual + 0.5)
