"""Audio that a server sends: small files must not become large arrays."""

import io
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from harness.engines.openai_speech.decode import decode

BOMB = """
import io, resource, sys
import numpy as np, soundfile
from harness.engines.openai_speech.decode import BadAudio, decode
buffer = io.BytesIO()
with soundfile.SoundFile(buffer, "w", 24000, 2, format="FLAC", subtype="PCM_16") as file:
    for _ in range(600):
        file.write(np.zeros((240000, 2), np.int16))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    decode(buffer.getvalue(), "flac", pcm_rate=24000, characters=40)
except BadAudio as error:
    print(error, file=sys.stderr)
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(len(buffer.getvalue()), grown)
"""


def test_a_small_flac_of_long_silence_is_not_decoded():
    done = subprocess.run([sys.executable, "-c", BOMB], capture_output=True, text=True, timeout=120)
    size, kilobytes = map(int, done.stdout.split())
    assert size < 4_000_000 and kilobytes < 50_000
    assert done.stderr.startswith("the audio ")


def flac(seconds, channels=1):
    tone = np.tile((0.3 * np.sin(np.arange(int(24000 * seconds)) / 19))[:, None], channels)
    buffer = io.BytesIO()
    soundfile.write(buffer, tone, 24000, format="FLAC")
    return buffer.getvalue()


def test_no_more_is_read_than_the_header_says():
    content = bytearray(flac(70))
    said = int.from_bytes(content[21:26], "big") & 0xF_FFFF_FFFF
    assert said == 70 * 24000
    content[22:26] = (24000).to_bytes(4, "big")
    assert decode(bytes(content), "flac", pcm_rate=24000, characters=40).seconds == 1


@pytest.mark.parametrize("channels", [1, 2])
def test_speech_is_read_as_before(channels):
    content = flac(59, channels)
    read = decode(content, "flac", pcm_rate=24000, characters=40)
    whole = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)[0].mean(axis=1)
    assert np.array_equal(read.samples, whole.astype(np.float32)) and read.sample_rate == 24000
