"""Lengths in the headers of audio files: what to do where they are missing, and how to tell that a file was cut."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

_STREAMED = 0x7FFFF000  # a length in a WAV header from here on, or 0, was written before the length was known
_UNKNOWN = 0xFFFFFFFF
_OGG_PAGE = 65_307  # bytes, at most
_WAVES = (b"RIFF", b"RF64", b"BW64")


def begins_mp3(source: Path | bytes) -> bool:
    """Return whether a file begins with an ID3 tag or with a frame of MP3."""
    if isinstance(source, Path):
        with source.open("rb") as handle:
            source = handle.read(3)
    return source[:3] == b"ID3" or (
        source[:1] == b"\xff" and source[1:2] in (b"\xfa", b"\xfb", b"\xf2", b"\xf3", b"\xe2", b"\xe3")
    )


def with_length(source: Path | bytes) -> bytes | None:
    """Return a WAV file (RIFF, RF64 or BW64) with its lengths filled in, as plain RIFF; None if there is nothing to fill in.

    A program that streams cannot know the length. It writes 0 or a very large number.
    """
    if isinstance(source, Path):
        with source.open("rb") as handle:
            source = handle.read() if handle.peek(4)[:4] in _WAVES else b""
    content = source
    if content[:4] not in _WAVES:
        return None
    head, place, wide = bytearray(content[:12]), 12, 0
    while content[place : place + 4] not in (b"data", b""):
        size = int.from_bytes(content[place + 4 : place + 8], "little")
        chunk = content[place : place + 8 + size + size % 2]
        if chunk[:4] == b"ds64":  # the lengths of RF64, which RIFF does not have
            wide = int.from_bytes(chunk[16:24], "little")
        else:
            head += chunk
        place += 8 + size + size % 2
    start = place + 8
    size = int.from_bytes(content[start - 4 : start], "little")
    if size == _UNKNOWN and 0 < wide < _STREAMED:
        size = wide
    if start >= len(content) or (size == 0 and _ends_with_chunks(content, start)):
        return None
    if size == 0 or size >= _STREAMED:
        size = min(len(content) - start, _STREAMED)
    whole = bytes(head) + b"data" + size.to_bytes(4, "little") + content[start:]
    whole = b"RIFF" + (len(head) + size).to_bytes(4, "little") + whole[8:]
    return None if whole == content else whole


def _ends_with_chunks(content: bytes, place: int) -> bool:
    """Return whether all bytes from a place on are chunks, so that they are no samples."""
    while place + 8 <= len(content) and content[place : place + 4].isalnum():
        size = int.from_bytes(content[place + 4 : place + 8], "little")
        place += 8 + size + size % 2
    return place >= len(content)


def log_tells_cut(log: str) -> bool:
    """Return whether libsndfile noted a length in the header that is longer than the file; it reads such files anyway."""
    lengths = (tuple(map(int, found)) for found in re.findall(r": (\d+) \(should be (\d+)\)", log))
    # One byte of padding may be missing.
    return any(found + 1 < promised < _STREAMED for promised, found in lengths)


def is_cut_flac(content: bytes) -> bool:
    """Return whether a FLAC file ends inside a frame, or a frame is damaged.

    Each frame ends with its CRC-16, so the CRC-16 of any number of complete frames is 0.
    """
    if content[:4] != b"fLaC":
        return False  # FLAC in another container
    place, last = 4, False  # metadata blocks come before the frames
    while not last and place < len(content):
        last = content[place] >= 0x80
        place += 4 + int.from_bytes(content[place + 1 : place + 4])
    table = np.arange(256) << 8
    for _ in range(8):
        table = np.where(table & 0x8000, table << 1 ^ 0x8005, table << 1) & 0xFFFF
    steps, crc = table.tolist(), 0
    for byte in content[place:]:
        crc = (crc << 8 & 0xFF00) ^ steps[crc >> 8 ^ byte]
    return crc != 0


def is_cut_ogg(source: Path | bytes) -> bool:
    """Return whether the last page of an Ogg file (RFC 3533) is cut, or is not marked as the end of its stream."""
    if isinstance(source, Path):
        with source.open("rb") as handle:
            handle.seek(0, 2)
            handle.seek(max(0, handle.tell() - 2 * _OGG_PAGE))
            source = handle.read()
    page = source[source.rfind(b"OggS") :]
    count = page[26] if len(page) > 26 else 0  # of segments, whose lengths follow
    complete = len(page) >= 27 + count + sum(page[27 : 27 + count])
    return not (complete and page[5] & 4)


def after_id3(content: bytes) -> bytes:
    """Return the content after all ID3 tags at its beginning. miniaudio skips one, and does not see a length after a second."""
    place = 0
    while content[place : place + 3] == b"ID3" and place + 10 <= len(content):
        first, second, third, fourth = content[place + 6 : place + 10]
        place += 10 + (first << 21 | second << 14 | third << 7 | fourth)
    return content[place:]
