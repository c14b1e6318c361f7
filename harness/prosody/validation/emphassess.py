"""The test clips of EmphAssess: acted English sentences, each with the word that the actor was asked to emphasise."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import DataError, HarnessError
from harness.prosody.validation.recordings import ACCENT, LabelledSet, LabelledWord, Problem, Recording, letters
from harness.reading import parse_json, unreadable

LIST = "df_test.json"
LANGUAGE = "en"  # the only one that the aligner knows


def load_emphassess(files: Mapping[str, Path]) -> LabelledSet:
    """Read the sentences listed in ``df_test.json``, one JSON object a line.

    Each has ``src_sentence`` (list of words and punctuation), ``gold_emphasis`` (list of indices of that list) and
    ``tgt_audiopath`` (only the name of the file matters), and may have ``id`` and ``tgt_lang``.

    Parameters
    ----------
    files : mapping of str to Path
        Each file of the folder by its name.

    Raises
    ------
    DataError
        If there is no list.
    """
    path = files.get(LIST)
    if path is None:
        raise DataError(f"there is no {LIST}", remedy="a folder of this layout holds it and the recordings")
    found = LabelledSet()
    used: set[Path] = set()
    try:
        rows = path.read_bytes().decode("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise unreadable(path, error) from error
    for line, row in enumerate(rows, start=1):
        if not row.strip():
            continue
        name = f"line {line}"
        try:
            item = parse_json(row)
            audio = Path(str(item.get("tgt_audiopath", ""))).name if isinstance(item, dict) else ""
            name = Path(audio).stem or name
            if audio in files:
                used.add(files[audio])
            found.recordings.append(_recording(item, name, files, path, line))
        except HarnessError as error:
            found.problems.append(Problem(name, error.at(path, line)))
    wavs = [wav for at, wav in files.items() if at.casefold().endswith(".wav") and wav.parent == path.parent]
    found.add_unlabelled(wavs, used, path)
    return found


def _recording(item: Any, name: str, files: Mapping[str, Path], path: Path, line: int) -> Recording:
    if not isinstance(item, dict):
        raise DataError("expected an object")
    for key, kind, what in (("src_sentence", str, "texts"), ("gold_emphasis", int, "numbers")):
        values = item.get(key)
        if not isinstance(values, list) or not values or any(type(value) is not kind for value in values):
            raise DataError(f"expected {key!r}, a list of {what}")
    if item.get("tgt_lang", LANGUAGE) != LANGUAGE:
        raise DataError(f"the language is {item['tgt_lang']!r}, but only English can be aligned")
    sentence, gold = item["src_sentence"], set(item["gold_emphasis"])
    for index in sorted(gold):
        if not 0 <= index < len(sentence) or not letters(sentence[index]):
            raise DataError(f"gold_emphasis names {index}, where the sentence has no word",
                            remedy="it counts the words and punctuation marks of src_sentence from 0")  # fmt: skip
    audio = Path(str(item.get("tgt_audiopath", ""))).name
    if audio not in files:
        raise DataError(f"the file {audio!r} is not in the folder")
    words = [LabelledWord(word, ACCENT if k in gold else "") for k, word in enumerate(sentence) if letters(word)]
    return Recording(name, files[audio], tuple(words), path, line)
