"""A codec that speaks: a residual vector quantiser on the frames of the voice hibari, with the shape of Boson's codec.

Boson's codec (8 codebooks of 1,024 entries, 25 frames a second) cannot be made without its weights. This one has 8 codebooks
of 256 entries and 26.7 frames a second. It is no general codec: it encodes what hibari's network predicts, and its decoder is
hibari's synthesis. So it knows one voice, and it cannot encode a recording.

A code frame is three of hibari's frames of 12.5 ms. Codebook 1 holds their F0; codebooks 0 and 2 to 7 hold their spectra, each
what the ones before it leave over (Gray 1984, "Vector quantization"; Zeghidour et al. 2021, arXiv 2107.03312).
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from harness.errors import DataError, HarnessError, NotAvailable
from harness.store import read_json, write_atomic, write_json

Array = NDArray[np.float32]
CODEC_TYPE = "hibari_rvq"  # `model_type` in config.json
WEIGHTS = "codec.npz"
CODEBOOKS, ENTRIES = 8, 256
GROUP = 3  # frames of hibari in a code frame
HOP = 300  # samples in a frame of hibari, at 24 kHz
PITCH_BOOK = 1
FLOOR = -3.0  # neper; hibari's spectra below it are inaudible, and would spend entries
SILENT = -12.0  # neper, what the decoder makes of the floor
NEAR_FLOOR = 0.3  # neper above the floor that still count as silence
VOICED_HZ = 40.0
REFERENCE_HZ = 180.0  # of the semitones in the pitch codebook
VOICING = 8.0  # semitones that a voiced and an unvoiced frame are apart, so that the quantiser keeps voicing exact
HARMONIC, RESIDUAL = 40, 20  # dimensions kept of the two spectra
RESIDUAL_WEIGHT = 0.7  # of the free-phase spectrum against the harmonic one
NOISE_LEVEL = -0.35  # neper, of noise that replaces the free-phase spectrum, whose phases are not coded
STEEPEST = 0.98  # of the harmonic phase in units of pi, so that arctanh stays finite


@dataclass(frozen=True, eq=False)
class Frames:
    """What hibari's network predicts every 12.5 ms, the input of ``hibari.dsp.synth``.

    Parameters
    ----------
    harmonic, theta, noise, residual, phase : array, shape (601, frames)
        Log amplitude of the harmonics and their phase; of noise; of the free-phase spectrum and its phase.
    f0 : array, shape (frames,)
        F0 in Hz; below `VOICED_HZ` where unvoiced.
    """

    harmonic: Array
    theta: Array
    noise: Array
    residual: Array
    phase: Array
    f0: Array

    def __len__(self) -> int:
        return len(self.f0)

    def cut(self, first: int, last: int) -> Frames:
        """Return the frames from `first` up to `last`."""
        return Frames(*(getattr(self, one.name)[..., first:last] for one in fields(self)))

    def louder(self, neper: NDArray[np.floating]) -> Frames:
        """Return the frames with another level, in neper a frame."""
        change = neper.astype(np.float32)
        return Frames(
            self.harmonic + change, self.theta, self.noise + change, self.residual + change, self.phase, self.f0
        )

    def sound(self, seed: int = 0) -> Array:
        """Return samples at 24 kHz. The noise of a frame does not depend on the frames after it."""
        from hibari import dsp

        parts = (np.asarray(getattr(self, one.name), np.float32) for one in fields(self))
        return np.asarray(dsp.synth(*parts, _FrameNoise(seed)), np.float32)


def joined(parts: Sequence[Frames]) -> Frames:
    """Return frames one after the other."""
    return Frames(*(np.concatenate([getattr(part, one.name) for part in parts], axis=-1) for one in fields(Frames)))


class _FrameNoise:
    """Stand in for numpy's generator: draw frame by frame, so that the beginning of a stream can be decoded alone."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)

    def standard_normal(self, shape: tuple[int, int], dtype: Any) -> Array:
        bins, columns = shape
        drawn = self._random.standard_normal((columns // 2, bins, 2), dtype=dtype)
        return np.ascontiguousarray(drawn.transpose(1, 0, 2)).reshape(bins, columns)


class SpeechCodec:
    """Encode hibari's frames, decode codes to samples.

    Parameters
    ----------
    tables : mapping of str to array
        ``spectra`` (7, entries, 3 x 60), ``pitch`` (entries, 6), ``harmonic_mean``, ``residual_mean`` (601,), ``harmonic_axes``
        (601, 40), ``residual_axes`` (601, 20), ``phase`` (41, 601).
    """

    codebooks = CODEBOOKS
    codebook_size = ENTRIES
    frame_samples = GROUP * HOP
    local = False  # the phases of the harmonics run on from the beginning of a stream

    def __init__(self, tables: dict[str, Array]) -> None:
        self.tables = {name: np.asarray(table, np.float32) for name, table in tables.items()}

    def encode(self, samples: np.ndarray) -> np.ndarray:
        """Refuse: a recording has no frames of hibari."""
        raise HarnessError(
            "this codec encodes frames of the voice hibari, not recordings",
            remedy="make clips with `harness higgs teach`, or give Boson's codec",
        )

    def encode_frames(self, frames: Frames) -> NDArray[np.int64]:
        """Return codes of shape (8, code frames); the last code frame repeats hibari's last frame where it is not full."""
        left = self._spectra(frames)
        codes = []
        for book in self.tables["spectra"]:
            nearest = _nearest(left, book)
            left = left - book[nearest]
            codes.append(nearest)
        codes.insert(PITCH_BOOK, _nearest(pitch_features(frames.f0), self.tables["pitch"]))
        return np.stack(codes)

    def frames(self, codes: NDArray[np.integer]) -> Frames:
        """Return hibari's frames for codes of shape (8, code frames)."""
        table = self.tables
        if codes.ndim != 2 or len(codes) != CODEBOOKS or codes.min(initial=0) < 0 or codes.max(initial=0) >= ENTRIES:
            raise HarnessError(
                f"the codec decodes {CODEBOOKS} rows of codes from 0 to {ENTRIES - 1}, not an array of shape {codes.shape}"
            )
        chosen = np.delete(np.arange(CODEBOOKS), PITCH_BOOK)
        spectra = sum(book[codes[row]] for book, row in zip(table["spectra"], chosen, strict=True))
        spectra = spectra.reshape(-1, HARMONIC + RESIDUAL)
        pitch = table["pitch"][codes[PITCH_BOOK]]
        voiced = pitch[:, GROUP:] > VOICING / 2
        f0 = np.where(voiced, REFERENCE_HZ * 2 ** (pitch[:, :GROUP] / 12), 0.0).reshape(-1)
        weights = _weights()[:, None]
        first, second = spectra[:, :HARMONIC].T, spectra[:, HARMONIC:].T / RESIDUAL_WEIGHT
        harmonic = table["harmonic_axes"] @ first / weights + table["harmonic_mean"][:, None]
        residual = table["residual_axes"] @ second / weights + table["residual_mean"][:, None]
        phase = table["phase"].T @ np.concatenate([first, np.ones((1, first.shape[1]), np.float32)])
        silent = np.full_like(residual, SILENT)
        return Frames(
            harmonic=np.where(harmonic < FLOOR + NEAR_FLOOR, SILENT, harmonic),
            theta=np.arctanh(np.clip(phase, -STEEPEST, STEEPEST)),
            noise=(np.where(residual < FLOOR + NEAR_FLOOR, SILENT, residual) + NOISE_LEVEL).astype(np.float32),
            residual=silent,
            phase=np.zeros_like(residual),
            f0=f0.astype(np.float32),
        )

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Return samples at 24 kHz for codes of shape (8, code frames)."""
        return np.clip(self.frames(np.asarray(codes)).sound(), -1, 1)

    def save(self, folder: Path, **recipe: Any) -> Path:
        """Write ``codec.npz`` in half precision and ``config.json`` with how it was fitted."""
        folder.mkdir(parents=True, exist_ok=True)
        content = io.BytesIO()
        halves: dict[str, Any] = {name: table.astype(np.float16) for name, table in self.tables.items()}
        np.savez_compressed(content, **halves)
        write_atomic(folder / WEIGHTS, content.getvalue())
        write_json(
            folder / "config.json", {"model_type": CODEC_TYPE, "codebooks": CODEBOOKS, "entries": ENTRIES, **recipe}
        )
        return folder / WEIGHTS

    def _spectra(self, frames: Frames) -> Array:
        table, weights = self.tables, _weights()
        harmonic, residual = (np.maximum(part, FLOOR).T for part in (frames.harmonic, frames.residual))
        both = [
            ((harmonic - table["harmonic_mean"]) * weights) @ table["harmonic_axes"],
            RESIDUAL_WEIGHT * (((residual - table["residual_mean"]) * weights) @ table["residual_axes"]),
        ]
        return _grouped(np.concatenate(both, axis=1)).reshape(-1, GROUP * (HARMONIC + RESIDUAL)).astype(np.float32)


def is_speech_codec(folder: Path) -> bool:
    """Return whether a folder holds a codec of this kind."""
    config = folder / "config.json"
    return config.is_file() and read_json(config).get("model_type") == CODEC_TYPE


def load_speech_codec(folder: str | Path) -> SpeechCodec:
    """Load the codec in a folder.

    Raises
    ------
    DataError
        If its files are missing, damaged, or of other sizes.
    NotAvailable
        If hibari-tts, whose synthesis decodes, is not installed.
    """
    folder = Path(folder)
    try:
        import hibari  # noqa: F401
    except ImportError as error:
        raise NotAvailable(
            "this codec decodes with hibari-tts, which is not installed", remedy="pip install hibari-tts"
        ) from error
    try:
        with np.load(folder / WEIGHTS, allow_pickle=False) as file:
            tables = {name: file[name].astype(np.float32) for name in file.files}
        shape = (CODEBOOKS - 1, ENTRIES, GROUP * (HARMONIC + RESIDUAL))
        if tables["spectra"].shape != shape or tables["pitch"].shape != (ENTRIES, 2 * GROUP):
            found = tables["spectra"].shape
            raise DataError(f"its spectral codebooks have shape {found}, not {shape}", path=folder / WEIGHTS,
                            remedy="fit it again with `harness higgs codec fit`")  # fmt: skip
    except (OSError, KeyError, ValueError, EOFError, BadZipFile) as error:
        raise DataError(f"the codec cannot be read: {error}", path=folder / WEIGHTS,
                        remedy="fit it again with `harness higgs codec fit`") from error  # fmt: skip
    return SpeechCodec(tables)


def fit_codec(clips: Sequence[Frames], seed: int, progress: Callable[[int, int], None] | None = None) -> SpeechCodec:
    """Fit the codec to clips of hibari: principal axes, then k-means codebook by codebook.

    Parameters
    ----------
    clips : sequence of Frames
        Some hundred clips; each codebook has 256 entries.
    seed : int
    progress : callable, optional
        Called with the number of codebooks done and their total.
    """
    from sklearn.cluster import MiniBatchKMeans

    def cluster(vectors: Array) -> Array:
        means = MiniBatchKMeans(ENTRIES, random_state=seed, batch_size=4096, n_init=1, max_iter=40)
        return means.fit(vectors).cluster_centers_.astype(np.float32)

    weights = _weights()
    harmonic = np.concatenate([np.maximum(clip.harmonic, FLOOR).T for clip in clips])
    residual = np.concatenate([np.maximum(clip.residual, FLOOR).T for clip in clips])
    tables: dict[str, Array] = {"harmonic_mean": harmonic.mean(0), "residual_mean": residual.mean(0)}
    weighted = (harmonic - tables["harmonic_mean"]) * weights
    tables["harmonic_axes"] = _axes(weighted, HARMONIC)
    tables["residual_axes"] = _axes((residual - tables["residual_mean"]) * weights, RESIDUAL)
    # The phase of the harmonics follows their spectrum (as in a minimum-phase filter), so a linear map is enough.
    sounding = harmonic.max(axis=1) > 0
    inputs = np.column_stack([weighted @ tables["harmonic_axes"], np.ones(len(weighted))])[sounding]
    phases = np.tanh(np.concatenate([clip.theta.T for clip in clips]))[sounding]
    square = inputs.T @ inputs + 10 * np.eye(inputs.shape[1])
    tables["phase"] = np.linalg.solve(square, inputs.T @ phases).astype(np.float32)
    codec = SpeechCodec(tables)
    left, books = np.concatenate([codec._spectra(clip) for clip in clips]), []
    for done in range(CODEBOOKS - 1):
        book = cluster(left)
        left = left - book[_nearest(left, book)]
        books.append(book)
        if progress:
            progress(done + 1, CODEBOOKS)
    tables["spectra"] = np.stack(books)
    tables["pitch"] = cluster(np.concatenate([pitch_features(clip.f0) for clip in clips]))
    if progress:
        progress(CODEBOOKS, CODEBOOKS)
    return SpeechCodec({name: table.astype(np.float16) for name, table in tables.items()})


def pitch_features(f0: NDArray[np.floating]) -> Array:
    """Return F0 in semitones and voicing of each group of three frames, shape (code frames, 6).

    An unvoiced frame gets the mean of the voiced ones of its group: it has no F0 that could be wrong.
    """
    f0 = _grouped(np.asarray(f0, np.float32)[:, None])[..., 0]
    voiced = f0 > VOICED_HZ
    semitones = np.where(voiced, 12 * np.log2(np.maximum(f0, VOICED_HZ) / REFERENCE_HZ), 0.0)
    mean = semitones.sum(axis=1) / np.maximum(1, voiced.sum(axis=1))
    semitones = np.where(voiced, semitones, mean[:, None])
    return np.concatenate([semitones, VOICING * voiced], axis=1).astype(np.float32)


def _grouped(rows: NDArray[Any]) -> NDArray[Any]:
    """Return rows in groups of three, the last one repeated where a group is not full."""
    missing = -len(rows) % GROUP
    return np.concatenate([rows, np.repeat(rows[-1:], missing, axis=0)]).reshape(-1, GROUP, rows.shape[1])


def _nearest(vectors: Array, book: Array) -> NDArray[np.int64]:
    return np.argmin((book**2).sum(axis=1)[None] - 2 * vectors @ book.T, axis=1)


def _weights() -> Array:
    """Return the weights of the 601 bins, by the density of auditory filters (ERB; Glasberg and Moore 1990)."""
    density = 1 / (24.7 * (4.37 * np.arange(601) * 20 / 1000 + 1))
    return np.sqrt(density / density.mean()).astype(np.float32)


def _axes(vectors: Array, count: int) -> Array:
    """Return principal axes of centred vectors, shape (bins, count); signs are fixed so that refits agree."""
    _, found = np.linalg.eigh(vectors.T @ vectors / len(vectors))
    axes = found[:, ::-1][:, :count]
    signs = np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(count)])
    return (axes * signs).astype(np.float32)
