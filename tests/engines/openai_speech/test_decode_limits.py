"""What a server can make us hold in memory."""

import io
import tracemalloc

import numpy as np
import pytest
import soundfile

from harness.engines.openai_speech.decode import BadAudio, decode

RATE = 24000


def test_a_small_flac_of_hours_is_given_up_early():
    """Silence packs a thousand to one: 2.5 MB of it took 5.7 GB before its length was looked at."""
    buffer = io.BytesIO()
    with soundfile.SoundFile(buffer, "w", RATE, 1, format="FLAC", subtype="PCM_16") as file:
        file.write(np.full(RATE, 1000, np.int16))
        for _ in range(60):
            file.write(np.zeros(60 * RATE, np.int16))
    assert len(buffer.getvalue()) < 1e6
    tracemalloc.start()
    with pytest.raises(BadAudio, match=r"or more for 100 characters; 60 s would be much"):
        decode(buffer.getvalue(), "flac", pcm_rate=RATE, characters=100)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100e6
