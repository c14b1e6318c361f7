"""How long an MP3 is, counted frame by frame (ISO/IEC 11172-3, 2.4.1.3, and 13818-3 for the lower rates).

libsndfile reads a file without a length only as far as it guesses from the first frame, and a fifth of the speech may be all.
"""

from __future__ import annotations

import re

_KBITS = {  # layer III, by MPEG version 1 or else
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}  # by the version's two bits
_HEAD = 4096  # bytes in which the first frame lies, behind any ID3 tag


def says_its_length(content: bytes) -> bool:
    """Whether the first frame is a Xing or Info frame, which holds the number of frames."""
    start = _start(content)
    return re.search(rb"Xing|Info", content[start : start + _HEAD]) is not None


def counted_seconds(content: bytes) -> float:
    """Length by the headers of all frames; what is no frame ends the count."""
    place, seconds = _start(content), 0.0
    while (frame := _frame(content[place : place + 4])) is not None:
        size, length = frame
        place, seconds = place + size, seconds + length
    return seconds


def _start(content: bytes) -> int:
    """Offset behind an ID3v2 tag, whose size is four times seven bits."""
    if not content.startswith(b"ID3") or len(content) < 10:
        return 0
    size = 0
    for byte in content[6:10]:
        size = size << 7 | byte & 0x7F
    return 10 + size


def _frame(header: bytes) -> tuple[int, float] | None:
    """Bytes and seconds of the frame that this header begins; None if it begins none of layer III."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE6 != 0xE2:
        return None
    version, kbits, place = header[1] >> 3 & 3, header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or kbits in (0, 15) or place == 3:
        return None
    first = version == 3
    rate, samples = _RATES[version][place], 1152 if first else 576
    size = samples // 8 * _KBITS[first][kbits] * 1000 // rate + (header[2] >> 1 & 1)
    return size, samples / rate
