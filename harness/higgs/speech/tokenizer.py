"""The tokenizer of the small Higgs: bytes and Llama 3's special tokens, then one token for each tag and each word that it was taught.

Llama 3's vocabulary, which Boson's model has, holds common words as single tokens too.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.errors import HarnessError
from harness.higgs.samples import SYSTEM
from harness.higgs.tiny.tokenizer import write_tokenizer
from harness.store import write_json
from harness.tagged import TAGS, TaggedText

_PROMPT = tuple(dict.fromkeys([*SYSTEM.lower().strip(".").split(), "system", "user", "assistant"]))


def write_word_tokenizer(folder: Path, vocabulary: Sequence[str]) -> int:
    """Write the tokenizer into a folder, and return the number of its tokens."""
    from tokenizers import AddedToken, Tokenizer, normalizers

    folder.mkdir(parents=True, exist_ok=True)
    write_tokenizer(folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.normalizer = normalizers.Lowercase()
    tags = [AddedToken(tag.value, lstrip=True, rstrip=True, normalized=False) for tag in TAGS]
    words = [
        AddedToken(word, single_word=True, lstrip=True, normalized=True)
        for word in dict.fromkeys([*vocabulary, *_PROMPT])
    ]
    tokenizer.add_tokens([*tags, *words])
    tokenizer.save(str(folder / "tokenizer.json"))
    write_json(folder / "vocabulary.json", sorted(vocabulary))
    return tokenizer.get_vocab_size()


def vocabulary_of(folder: Path) -> frozenset[str] | None:
    """Return the words that the model in a folder was taught; None if it has no such list."""
    path = folder / "vocabulary.json"
    return frozenset(_words(path)) if path.is_file() else None


def _words(path: Path) -> list[str]:
    import json

    return json.loads(path.read_text(encoding="utf-8"))


def check_words(text: TaggedText, vocabulary: frozenset[str]) -> None:
    """Raise a HarnessError at the first word that the model was not taught."""
    for place, word in enumerate(text.words, start=1):
        bare = word.lower().rstrip(",.")
        if bare not in vocabulary:
            raise HarnessError(
                f"word {place} of {text.plain!r}, {word!r}, is not one of the {len(vocabulary)} words that this small model was taught",
                remedy=f"use its words: {' '.join(sorted(vocabulary))}",
            )  # fmt: skip
