"""The data: embedded examples, the Helsinki Prosody Corpus, the hackathon's own examples.

Embedded data is in ``data/``. Other data is searched for in the folder ``HARNESS_DATA``, in ``../shared/data`` next to the
project, and in the download cache, which `fetch` fills. The checksum of every file is verified wherever it was found.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from harness.errors import DataError, NotAvailable
from harness.paths import DATA, DATA_VARIABLE, ROOT, cache_folder
from harness.records import Example
from harness.store import read_jsonl
from harness.tagged import TaggedText

Split = Literal["train", "heldout", "development", "test"]
Twice = Literal["heldout", "development", "test"]  # sets that were labelled in two passes


@dataclass(frozen=True)
class RemoteFile:
    """A file that is not part of the project: its address and its checksum."""

    path: str
    url: str
    sha256: str


@dataclass(frozen=True)
class Remote:
    """A data set that is not part of the project."""

    name: str
    what: str
    licence: str
    files: tuple[RemoteFile, ...]


_HELSINKI = "https://raw.githubusercontent.com/Helsinki-NLP/prosody/master/data"
_TODI = "https://raw.githubusercontent.com/tsg-humlab/autinto/d4f827aaf3a69e6fa83fff2f98aaf297ae4a19cf"
_EMPHASSESS = "https://raw.githubusercontent.com/facebookresearch/emphassess/29ba1fa9b1bca35c9f47338cbb18b82d48ee576b"
_SEED = "https://raw.githubusercontent.com/Lemirq/janus-ai/55bafe2cb4982c09a21cc9ca6d78b0337cd1712a"
_SEED_DATA = f"{_SEED}/ai_core/fine_tuning/training_data"


def _listed(name: str, address: str, folder: str) -> tuple[RemoteFile, ...]:
    """Return the files of ``data/recordings/NAME.sha256``, which lists paths in a repository; here they are in one folder."""
    rows = [line.split("  ", 1) for line in (DATA / "recordings" / f"{name}.sha256").read_text("utf-8").splitlines()]
    return tuple(RemoteFile(f"{folder}/{Path(path).name}", f"{address}/{path}", sha) for sha, path in rows)


REMOTES: dict[str, Remote] = {
    remote.name: remote
    for remote in (
        Remote(
            "seed-examples", "the hackathon's 98 tagged transcript windows", "none stated: measured here, never redistributed",
            (RemoteFile("seed/prosody_dataset.json", f"{_SEED_DATA}/prosody_dataset.json",
                        "91f6f08ac8560a54cf3e683ed56bf35ecaa98e52dc731c1b4fd2e0da38892743"),),
        ),
        Remote(
            "seed-recordings", "fifteen of the 98 clips that the hackathon cut from a podcast, with manifest and transcript",
            "none stated: measured here, never redistributed",
            (*_listed("seed-recordings", _SEED, "seed/segments"),
             RemoteFile("seed/segments/transcript.txt", f"{_SEED_DATA}/jre_training_transcript.txt",
                        "b7183932acb972ded130d464bf0bd8de5e923797dffa7be6b4e348da8dd77bd2")),
        ),
        Remote(
            "helsinki-prosody", "prominence and boundary labels for LibriTTS, dev and test (Talman et al. 2019)", "CC BY 4.0",
            (RemoteFile("helsinki-prosody/dev.txt", f"{_HELSINKI}/dev.txt",
                        "ce5c73f9bccd59bed0c2a1054854357f157c74cc95723472bb09f7f0a6f15567"),
             RemoteFile("helsinki-prosody/test.txt", f"{_HELSINKI}/test.txt",
                        "70f5f21e79a40f2d7163089f2682e0d3c464b50514467a9e389c3f6d139d1f93")),
        ),
        Remote(
            "todi", "60 Dutch recordings with word times and experts' intonation labels (a course in ToDI, Gussenhoven 2005)",
            "none stated: measured here, never redistributed", _listed("todi", _TODI, "listeners/todi"),
        ),
        Remote(
            "emphassess", "ten acted English sentences with the emphasised word (test clips of EmphAssess, 2024)",
            "CC BY-NC 4.0: measured here, never redistributed", _listed("emphassess", _EMPHASSESS, "listeners/emphassess"),
        ),
    )
}  # fmt: skip


# --- embedded examples -----------------------------------------------------------------------------------------------


def examples_file(name: str) -> Path:
    """Return the path of an embedded set of examples: a split, or ``SPLIT_second_pass``."""
    return DATA / "examples" / f"{name}.jsonl"


def load_examples(split: Split) -> list[Example]:
    """Return an embedded set: 98 examples for training, 102 held out, 120 for development, 120 for a last test (see ``data/README.md``)."""
    return read_jsonl(examples_file(split), Example)


def load_second_pass(split: Twice = "heldout") -> list[Example]:
    """Return the sentences of a split with the labels of the second, independent annotation pass."""
    return read_jsonl(examples_file(f"{split}_second_pass"), Example)


def load_seed_examples() -> list[Example]:
    """Return the hackathon's own examples; overlapping windows of one transcript share a group."""
    path = find("seed/prosody_dataset.json", "seed-examples")
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise DataError(f"not JSON: {error}", path=path) from error
    texts = [TaggedText.parse(row["text"]) for row in rows]
    groups = overlap_groups([text.words for text in texts])
    return [
        Example(id=f"seed-{row['id']:03d}", text=text.format(), group=f"window-{group:03d}", split="seed")
        for row, text, group in zip(rows, texts, groups, strict=True)
    ]


def overlap_groups(texts: Sequence[Sequence[str]], n: int = 6) -> list[int]:
    """Number the connected groups of texts that share a run of `n` words (case ignored).

    Returns
    -------
    list of int
        Group of each text; a text that shares nothing is a group by itself.
    """
    from scipy.cluster.hierarchy import DisjointSet

    sets = DisjointSet(range(len(texts)))
    first_seen: dict[tuple[str, ...], int] = {}
    for index, words in enumerate(texts):
        for gram in word_ngrams(words, n):
            sets.merge(index, first_seen.setdefault(gram, index))
    names: dict[int, int] = {}
    return [names.setdefault(sets[index], len(names)) for index in range(len(texts))]


_PUNCTUATION = "\"'“”‘’()[],;:.!?…—-"
_CLOSED_CLASS = frozenset(
    "a an the this that these those i you he she it we they me him her us them my your his its our their who whom "
    "whose which what when where why how is are was were be been being am do does did done have has had will would "
    "can could shall should may might must not no and or but if then than so because while although though as at by "
    "for from in into of off on onto out over to under up with without about after before between through during "
    "until all any each every few more most some such only own same too very just even still ever never nobody "
    "nothing everyone everything one two let let's there here".split()
)


def bare_word(word: str) -> str:
    """Return a word without outer punctuation, in lower case."""
    return word.strip(_PUNCTUATION).lower()


def is_closed_class(word: str) -> bool:
    """Return whether a word is a function word (article, pronoun, auxiliary, preposition, ...)."""
    return bare_word(word) in _CLOSED_CLASS


def word_ngrams(words: Sequence[str], n: int) -> Iterator[tuple[str, ...]]:
    """Return the runs of `n` bare words."""
    bare = [bare_word(word) for word in words]
    return (tuple(bare[at : at + n]) for at in range(len(bare) - n + 1))


def sentence_frame(words: Sequence[str]) -> str:
    """Return a sentence with its open-class words blanked out, so that two fillings of one template are equal.

    >>> sentence_frame("Our plan saves you 30%, and fast.".split())
    'our _ you _ , and _ .'
    """
    frame: list[str] = []
    for word in words:
        part = bare_word(word) if is_closed_class(word) else "_"
        if part != "_" or frame[-1:] != ["_"]:
            frame.append(part)
        trailing = word[len(word.rstrip(_PUNCTUATION)) :]
        if punctuation := "".join(mark for mark in trailing if mark in ",;:.!?…—"):
            frame.append(punctuation)
    return " ".join(frame)


# --- splits ----------------------------------------------------------------------------------------------------------


def grouped_folds(groups: Sequence[str], n_folds: int, seed: int = 0) -> list[tuple[list[int], list[int]]]:
    """Split rows into folds such that a group is never both in training and test.

    Parameters
    ----------
    groups : sequence of str
        Group of each row.
    n_folds : int
        Number of folds, at most the number of groups.
    seed : int
        Random seed for shuffling the groups.

    Returns
    -------
    list of (train, test)
        Row indices of each fold.
    """
    from sklearn.model_selection import GroupKFold

    distinct = len(set(groups))
    if not 2 <= n_folds <= distinct:
        raise DataError(f"expected 2 to {distinct} folds for {distinct} groups, got {n_folds}")
    splitter = GroupKFold(n_folds, shuffle=True, random_state=seed)
    rows = np.arange(len(groups))
    return [(train.tolist(), test.tolist()) for train, test in splitter.split(rows, groups=list(groups))]


# --- the Helsinki Prosody Corpus -------------------------------------------------------------------------------------


UNLABELLED = -1  # label NA of the corpus: its aligner did not find the word
_Row = tuple[str, int, int, tuple[float, float]]  # word, prominence, boundary, and the strengths of both


@dataclass(frozen=True)
class ProsodyUtterance:
    """One utterance of the Helsinki Prosody Corpus.

    `prominence` and `boundary` have one entry per word: 0, 1, 2 or `UNLABELLED`. `values` holds the strengths (prominence,
    boundary) from which these were derived, measured by the corpus' wavelet analysis; NaN where there are none.
    """

    file: str
    words: tuple[str, ...]
    prominence: tuple[int, ...]
    boundary: tuple[int, ...]
    values: tuple[tuple[float, float], ...] = ()

    @property
    def reader(self) -> str:
        """The LibriTTS speaker."""
        return self.file.split("_")[0]

    @property
    def chapter(self) -> str:
        """The LibriTTS speaker and chapter."""
        return "_".join(self.file.split("_")[:2])


def load_helsinki(split: Literal["dev", "test"]) -> list[ProsodyUtterance]:
    """Return the utterances of the corpus; punctuation without a label is attached to the word before it.

    Raises
    ------
    DataError
        If a row does not have five columns, naming file and line.
    NotAvailable
        If the corpus is not on this machine.
    """
    return read_helsinki(find(f"helsinki-prosody/{split}.txt", "helsinki-prosody"))


def read_helsinki(path: Path) -> list[ProsodyUtterance]:
    """Return the utterances of a file in the corpus' format, such as its larger training sets; see `load_helsinki`."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot be read: {error}", path=path) from error
    utterances: list[tuple[str, list[_Row]]] = [("", [])]
    for number, line in enumerate(text.splitlines(), start=1):
        columns = line.split("\t")
        if columns[0] == "<file>":
            utterances.append((columns[1].removesuffix(".txt"), []))
            continue
        if len(columns) != 5:
            raise DataError(f"expected 5 columns separated by tabs, got {len(columns)}", path=path, line=number)
        word, prominence, boundary, *strengths = columns
        rows = utterances[-1][1]
        if prominence != "NA" or any(character.isalnum() for character in word):
            rows.append((word, _label(prominence), _label(boundary), (_value(strengths[0]), _value(strengths[1]))))
        elif rows:
            rows[-1] = (rows[-1][0] + word, *rows[-1][1:])
    return [ProsodyUtterance(name, *zip(*rows, strict=True)) for name, rows in utterances if rows]


CORPUS_FOLDS = 10


def corpus_split(utterances: Sequence[ProsodyUtterance]) -> tuple[list[ProsodyUtterance], list[ProsodyUtterance]]:
    """Split the corpus' dev part by reader: nine tenths for training, one tenth for choosing thresholds and epochs.

    The split is fixed, so that no earlier model (the embedded base) was trained on the readers that a later one is tuned on.
    """
    train, tune = grouped_folds([utterance.reader for utterance in utterances], CORPUS_FOLDS, seed=0)[0]
    return [utterances[row] for row in train], [utterances[row] for row in tune]


def _label(column: str) -> int:
    return UNLABELLED if column == "NA" else int(column)


def _value(column: str) -> float:
    return float("nan") if column == "NA" else float(column)


# --- finding and fetching --------------------------------------------------------------------------------------------


def data_folders() -> list[Path]:
    """Return the folders that are searched for data that is not embedded, in order.

    They are ``HARNESS_DATA``, ``../shared/data`` and the download cache. If ``HARNESS_DATA`` is set but empty, only the
    download cache is searched, as on a machine that has none of the data.
    """
    named = os.environ.get(DATA_VARIABLE)
    if named == "":
        return [cache_folder()]
    return [*([Path(named)] if named else []), ROOT.parent / "shared" / "data", cache_folder()]


def locate(path: str) -> Path | None:
    """Return the first existing copy of a data file, or None."""
    return next((folder / path for folder in data_folders() if (folder / path).is_file()), None)


def find(path: str, remote: str) -> Path:
    """Return a verified local copy of a remote file.

    Raises
    ------
    NotAvailable
        If there is none; the message contains the command that fetches it.
    DataError
        If its checksum is wrong.
    """
    found = locate(path)
    if found is None:
        raise NotAvailable(f"{path} is not on this machine", remedy=f"fetch it: harness data fetch {remote}")
    expected = next(file.sha256 for file in REMOTES[remote].files if file.path == path)
    if sha256(found) != expected:
        raise DataError("the checksum is wrong: this is not the file that the results were measured on", path=found,
                        remedy=f"remove it, then run: harness data fetch {remote}")  # fmt: skip
    return found


def sha256(path: Path) -> str:
    """Return the SHA-256 checksum of a file, in hexadecimal."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def fetch(name: str, *, report: Callable[[str], None] = print) -> list[Path]:
    """Download a data set into the cache, unless a verified copy already exists.

    Raises
    ------
    NotAvailable
        If the name is unknown or the file cannot be downloaded.
    DataError
        If the downloaded file has a wrong checksum; it is not kept.
    """
    import pooch

    if name not in REMOTES:
        raise NotAvailable(f"no data set is called {name!r}", remedy=f"choose one of: {', '.join(REMOTES)}")
    paths = []
    for file in REMOTES[name].files:
        here = locate(file.path)
        if here is not None and sha256(here) == file.sha256:
            report(f"{file.path}: already here, {here}")
            paths.append(here)
            continue
        target = cache_folder() / file.path
        try:
            pooch.get_logger().setLevel("ERROR")
            pooch.retrieve(file.url, known_hash=f"sha256:{file.sha256}", fname=target.name, path=target.parent)
        except ValueError as error:
            raise DataError(f"the checksum of {file.url} is wrong; nothing was kept", path=target) from error
        except Exception as error:  # requests and urllib3 raise many types; all mean that the download failed
            raise NotAvailable(f"{file.url} could not be downloaded: {type(error).__name__}",
                               remedy=f"check the network, or save the file as {target}") from error  # fmt: skip
        report(f"{file.path}: downloaded to {target}")
        paths.append(target)
    return paths
