import io

import numpy as np
import pytest
import soundfile

from harness.audio import Audio, resample
from harness.errors import HarnessError
from harness.serve.encoding import DEFAULT_RATE, FORMATS, encode, rate_of


def tone(rate, seconds=1.0, hertz=220):
    return Audio((0.5 * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)).astype(np.float32), rate)


def decoded(content, name, rate):
    if name == "pcm":
        return np.frombuffer(content, "<i2") / 32768, rate
    return soundfile.read(io.BytesIO(content))


@pytest.mark.parametrize("name", FORMATS)
def test_comes_back_as_it_was(name):
    rate = rate_of(name, None)
    samples, found = decoded(encode(tone(44100), name), name, rate)
    assert found == rate == DEFAULT_RATE
    assert len(samples) / rate == pytest.approx(1, abs=0.03)
    assert np.sqrt(np.mean(samples**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.05)
    assert np.argmax(np.abs(np.fft.rfft(samples))) * rate / len(samples) == pytest.approx(220, abs=2)


@pytest.mark.parametrize("name", FORMATS)
def test_rate_asked_for(name):
    for asked in FORMATS[name].rates:
        rate = rate_of(name, asked)
        samples, found = decoded(encode(tone(22050, 0.5), name, rate), name, rate)
        assert found == rate == asked and len(samples) == pytest.approx(asked / 2, rel=0.03)


@pytest.mark.parametrize(("name", "rate"), [("mp3", 7000), ("opus", 22050), ("pcm", 0), ("wav", -1), ("flac", 10**9)])
def test_rate_that_cannot_be(name, rate):
    with pytest.raises(HarnessError, match=f"{name} does not support a sample rate of {rate} Hz .*choose"):
        rate_of(name, rate)


def test_pcm_is_exact_and_clipped():
    samples = np.array([0, 0.5, 1, 2, -1, -3], np.float32)
    content = encode(Audio(samples, DEFAULT_RATE), "pcm")
    assert np.frombuffer(content, "<i2").tolist() == [0, 16384, 32767, 32767, -32767, -32767]


def test_resampling_keeps_what_both_rates_hold_and_drops_the_rest():
    low, high = (resample(tone(48000, hertz=hertz).samples, 48000, 16000) for hertz in (1000, 11000))
    middle = slice(1000, -1000)
    assert np.allclose(low[middle], tone(16000, hertz=1000).samples[middle], atol=0.01)
    assert np.abs(high[middle]).max() < 0.01
    assert low.dtype == np.float32 and resample(low, 16000, 16000) is low


@pytest.mark.parametrize("samples", [[], [0, np.nan], [0, np.inf]])
def test_no_audio(samples):
    with pytest.raises(HarnessError, match="no audio"):
        encode(Audio(np.array(samples, np.float32), 8000), "wav")


def test_long_clip():
    info = soundfile.info(io.BytesIO(encode(tone(48000, 60), "opus", 48000)))
    assert info.duration == pytest.approx(60, abs=0.1) and info.samplerate == 48000
