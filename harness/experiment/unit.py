"""One sentence by one engine: speak it, score it. This is what a worker process does."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness.audio import Audio, read_audio, write_wav
from harness.engines import SpeechEngine, SpeechRequest, make_engine
from harness.engines.dialects import DIALECTS
from harness.errors import DataError, HarnessError
from harness.experiment.spec import EngineSpec, Experiment
from harness.prosody.scorer import TagScore, analyse, score_clip
from harness.records import Arm, Clip, Outcome, Verdict, digest
from harness.tagged import TaggedText


@dataclass(frozen=True)
class Unit:
    """The work of one process: one sentence by one engine, for all taggers."""

    engine: EngineSpec
    sentence: str
    texts: tuple[tuple[str, TaggedText], ...]
    experiment: Experiment
    clips: Path


@dataclass(frozen=True)
class UnitResult:
    """What a unit gives back."""

    unit: Unit
    clips: list[Clip]
    outcomes: list[Outcome]
    failed: bool
    reason: str = ""


def run_unit(unit: Unit) -> UnitResult:
    """Speak and score one sentence for all taggers. A failure is counted, and does not stop the run."""
    text = unit.texts[0][1].stripped()
    clips: list[Clip] = []
    outcomes: list[Outcome] = []
    try:
        engine = _engine(unit.engine.model_dump_json())
        repeats = 1 if engine.deterministic else unit.experiment.plain_repeats
        spoken = [_speak(unit, engine, "", text, Arm.PLAIN, unit.experiment.seed + k) for k in range(repeats)]
        clips += [clip for clip, _ in spoken]
        plain = [analyse(audio, text) for _, audio in spoken]
        for tagger, tagged in unit.texts:
            if not tagged.tags:
                continue
            lost = DIALECTS[engine.dialect].lost(tagged)
            clip, audio = _speak(unit, engine, tagger, tagged, Arm.TAGGED, unit.experiment.seed)
            clips.append(clip)
            scores = score_clip(tagged, audio, plain, check_leaks=unit.experiment.check_leaks,
                                placebo=unit.experiment.placebo, lost=lost)  # fmt: skip
            outcomes += [_outcome(unit, tagger, score) for score in scores]
    except HarnessError as error:
        known = {outcome.tagger for outcome in outcomes}
        outcomes += [
            _outcome(unit, tagger, TagScore(slot, tag, Arm.TAGGED, Verdict.UNMEASURABLE, reason=f"engine failed: {error.message}"))
            for tagger, tagged in unit.texts if tagger not in known for slot, tag in dict.fromkeys(tagged.tags)
        ]  # fmt: skip
        return UnitResult(unit, clips, outcomes, failed=True, reason=error.message)
    return UnitResult(unit, clips, outcomes, failed=False)


@cache
def _engine(spec: str) -> SpeechEngine:
    """One engine a process; the key is JSON because options may hold lists."""
    parsed = EngineSpec.model_validate_json(spec)
    return make_engine(parsed.name, **parsed.options)


def _speak(unit: Unit, engine: SpeechEngine, tagger: str, text: TaggedText, arm: Arm, seed: int) -> tuple[Clip, Audio]:
    """Render a clip, or take it from the folder if it is already there; what is scored is always what was written."""
    voice = unit.engine.voice or engine.default_voice
    clip_id = digest(
        engine.name, engine.revision, sorted(unit.engine.options.items()), voice, engine.dialect, seed, text.format()
    )
    path = unit.clips / f"{clip_id}.wav"
    try:
        audio = read_audio(path)
    except DataError:  # not there yet, or damaged
        path.unlink(missing_ok=True)
        speech = engine.speak(SpeechRequest(text, voice, seed))
        partial = path.with_suffix(f".{os.getpid()}.part")
        write_wav(partial, speech.audio)
        partial.replace(path)
        audio = read_audio(path)
    clip = Clip(
        id=clip_id, engine=unit.engine.title, tagger=tagger, sentence=unit.sentence, arm=arm, text=text.format(),
        dialect=engine.dialect, voice=voice, seed=seed, audio=f"clips/{path.name}", sample_rate=audio.sample_rate,
        seconds=round(audio.seconds, 4),
    )  # fmt: skip
    return clip, audio


def _outcome(unit: Unit, tagger: str, score: TagScore) -> Outcome:
    return Outcome(
        engine=unit.engine.title, tagger=tagger, sentence=unit.sentence, arm=score.arm, slot=score.slot, tag=score.tag,
        verdict=score.verdict, value=score.value, unit=score.unit, threshold=score.threshold, reason=score.reason,
    )  # fmt: skip
