"""The few clips that are stored beside a result file, so that someone else can score them again.

A result file quotes figures that nobody else can measure without the engine. ``harness run --result FILE.json --clips N`` therefore
keeps `N` tagged clips of each engine, the plain clips they are compared with, and their outcomes. The audio is FLAC, which loses
nothing, in the folder ``FILE.clips``; the outcomes are in the result file.
"""

from __future__ import annotations

import io
from collections import defaultdict
from functools import cache
from pathlib import Path

from harness.audio import read_audio
from harness.errors import DataError
from harness.experiment.folder import OUTCOMES, SUMMARY
from harness.experiment.result_files import ResultFile, StoredClip
from harness.experiment.sentences import sentence_of
from harness.prosody.detectors import DETECTORS
from harness.prosody.features import ClipFeatures
from harness.prosody.scorer import analyse, analyse_tagged, score_clip
from harness.records import Arm, Clip, Outcome, Verdict, digest
from harness.store import read_json, read_jsonl, write_atomic
from harness.tagged import TaggedText

MOST = 20  # tagged clips of one engine; a clip of 4 s takes about 90 kB, and most have three plain clips
_AGAIN = "measure the run again with this version of the harness, and store its clips with --clips"


def clips_folder(result: str | Path) -> Path:
    """Return the folder of the clips that belong to a result file: ``mine.clips`` for ``mine.json``."""
    return Path(result).with_suffix(".clips")


def store_clips(run: Path, result: Path, clips: int) -> list[StoredClip]:
    """Copy some clips of a finished run into the folder of a result file.

    The sentences are chosen by a hash, and of each sentence all clips are taken, because these share their plain clips. The
    folder's older clips are deleted.

    Parameters
    ----------
    run : Path
        Run folder.
    result : Path
        Result file that is going to be written.
    clips : int
        Number of tagged clips for each engine, at most `MOST`.

    Returns
    -------
    list of StoredClip
        What `harness.experiment.result_files.publish` writes into the result file.

    Raises
    ------
    DataError
        If `clips` is out of range, or a clip cannot be read or written.
    """
    if not 1 <= clips <= MOST:
        raise DataError(f"--clips must be between 1 and {MOST}, got {clips}",
                        remedy="eight clips are enough to check a result")  # fmt: skip
    summary = read_json(run / SUMMARY)
    repeats = read_json(run / "manifest.json")["parameters"]["plain_repeats"]
    found = read_jsonl(run / "clips.jsonl", Clip)
    outcomes: dict[tuple[str, str, str], list[Outcome]] = defaultdict(list)
    for outcome in read_jsonl(run / OUTCOMES, Outcome):
        if outcome.arm is Arm.TAGGED:
            outcomes[outcome.engine, outcome.tagger, outcome.sentence].append(
                outcome.model_copy(update={"listeners": {}})
            )
    stored = []
    for engine, figures in summary["engines"].items():
        plain: dict[str, list[Clip]] = defaultdict(list)
        for clip in sorted((c for c in found if c.engine == engine and c.arm is Arm.PLAIN), key=lambda c: c.seed):
            plain[clip.sentence].append(clip)
        tagged = [
            c for c in found
            if c.engine == engine and c.tagger == figures["tagger"] and c.arm is Arm.TAGGED
            and outcomes[c.engine, c.tagger, c.sentence]
        ]  # fmt: skip
        group = {c.sentence: _group(c, plain) for c in tagged}
        tagged.sort(key=lambda c: (digest(engine, group[c.sentence]), digest(engine, c.sentence)))
        for clip in tagged[:clips]:
            stored.append(StoredClip(
                engine=engine, text=clip.text, audio=clip.id,
                plain=[c.id for c in plain[group[clip.sentence]][:repeats]],
                outcomes=outcomes[clip.engine, clip.tagger, clip.sentence],
            ))  # fmt: skip
    folder = clips_folder(result)
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.flac"):
        old.unlink()
    audio = {clip.id: clip.audio for clip in found}
    for name in {name for one in stored for name in (one.audio, *one.plain)}:
        write_atomic(folder / f"{name}.flac", _as_flac(run / audio[name]))
    return stored


def _group(clip: Clip, plain: dict[str, list[Clip]]) -> str:
    """Return the sentence under whose name the plain clips of a text are listed; texts of a file may share their words."""
    own = sentence_of(clip.sentence)
    if own in plain:
        return own
    words = TaggedText.parse(clip.text).plain
    return next((name for name, clips in plain.items() if TaggedText.parse(clips[0].text).plain == words), own)


def _as_flac(path: Path) -> bytes:
    """Return a 16-bit WAV file as FLAC with the same samples."""
    import soundfile

    samples, rate = soundfile.read(path, dtype="int16")
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()


def check_clips(result: ResultFile, path: Path) -> int:
    """Score the stored clips of a result file again, and return their number.

    The thresholds are those of the file, because they need all plain clips of the run; they must not be below the floors.

    Raises
    ------
    DataError
        If a clip is missing, its outcomes do not cover its tags, or a verdict is not the one in the file. Names the file.
    """
    folder = clips_folder(path)
    leaks = result.provenance.parameters.get("check_leaks", True) is not False

    @cache
    def plain(name: str, words: str) -> ClipFeatures | str:
        return analyse(read_audio(folder / f"{name}.flac"), TaggedText.from_plain(words))

    for one in result.stored:
        text = one.tagged
        if one.engine not in result.engines:
            raise DataError(
                f"a clip is stored for {one.engine!r}, which is no engine of the file", path=path, remedy=_AGAIN
            )
        lost = {(o.slot, o.tag): o.reason for o in one.outcomes if o.verdict is Verdict.NOT_EXPRESSIBLE}
        asked = [place for place in dict.fromkeys(text.tags) if place not in lost]
        audio = read_audio(folder / f"{one.audio}.flac")
        features, intruded = analyse_tagged(audio, text, asked) if leaks and asked else (analyse(audio, text), {})
        twins = [plain(name, text.plain) for name in one.plain]
        scores = score_clip(text, features, twins, placebo=False, lost=lost, intruded=intruded)
        again = {(score.slot, score.tag): score for score in scores}
        for outcome in one.outcomes:
            score, detector = again[outcome.slot, outcome.tag], DETECTORS[outcome.tag]
            threshold = detector.floor if outcome.threshold is None else outcome.threshold
            verdict: Verdict | None = score.failure
            if score.value is not None and verdict is None:
                verdict = detector.judge(score.value, threshold)
            if verdict is not outcome.verdict:
                stored, heard = _said(outcome.verdict, outcome.value), _said(verdict, score.value)
                raise DataError(
                    f"{one.engine}, clip {one.audio}: {outcome.tag.value} at slot {outcome.slot} is {stored} in the file, "
                    f"and {heard} when the clip is scored again",
                    path=path, remedy=f"the file was scored by harness {result.provenance.harness}; {_AGAIN}",
                )  # fmt: skip
    return len(result.stored)


def _said(verdict: Verdict | None, value: float | None) -> str:
    name = verdict.value.replace("_", " ") if verdict else "nothing"
    return name if value is None else f"{name} ({value:.2f})"
