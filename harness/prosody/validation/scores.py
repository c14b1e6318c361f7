"""What detectors and listeners say about each word of a labelled recording."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from harness.audio import read_audio
from harness.errors import DataError, HarnessError
from harness.prosody.align import align
from harness.prosody.detectors import Cue, by_cue
from harness.prosody.features import measure
from harness.prosody.listeners import Listener, judge
from harness.prosody.validation.recordings import MIN_RATE, Recording, placed, within
from harness.records import WordTime, digest

DURATION = "duration"  # the baseline: long words are often prominent, whatever else happens
Array = NDArray[np.float64]


@dataclass(frozen=True)
class RecordingScores:
    """The scores of a recording with n words.

    Parameters
    ----------
    recording : Recording
    cluster : str
        Digest of the samples: one recording may be in a set twice, with two sets of labels.
    times : list of WordTime
    cues : dict of str to array of shape (n,)
        Value of each detector cue without a plain twin, and of the baseline `DURATION` (seconds). ``pause`` is the gap after the word,
        ``pitch_end`` the end of a phrase that ends with the word, measured where the labels say so, NaN elsewhere.
    words : dict of str to array of shape (n,)
        Scores of the listeners that judge words.
    clip : dict of str to float
        Scores of the listeners that judge clips.
    unheard : dict of str to str
        Reason for each listener that could not judge the clip.
    """

    recording: Recording
    cluster: str
    times: list[WordTime]
    cues: dict[str, Array]
    words: dict[str, Array] = field(default_factory=dict)
    clip: dict[str, float] = field(default_factory=dict)
    unheard: dict[str, str] = field(default_factory=dict)


def score_recording(recording: Recording, listeners: Sequence[Listener] = ()) -> RecordingScores:
    """Measure every cue of a recording, and let the listeners judge it.

    Raises
    ------
    HarnessError
        If the recording cannot be scored: names the file, and the line with its labels or times.
    """
    try:
        audio = read_audio(recording.audio)
        if audio.sample_rate < MIN_RATE:
            raise DataError(
                f"{audio.sample_rate} samples per second, but at least {MIN_RATE} are needed",
                remedy="record at 16 kHz or more; upsampling does not restore what is missing",
            )  # fmt: skip
        if recording.times is None:
            times = align(audio, [word.word for word in recording.words])
        else:
            source = recording.times_source or recording.source
            times = within(recording.times, audio.seconds, source, recording.times_lines)
        features = measure(audio, times)
    except HarnessError as error:
        raise placed(error if error.path else error.at(recording.audio), recording.source, recording.line) from error
    detectors = by_cue()
    n = len(times)
    level, emphasis = (
        np.array([detectors[cue].value(features, k) for k in range(n)]) for cue in (Cue.LEVEL, Cue.EMPHASIS)
    )
    ends = [
        detectors[Cue.END].value(features, k) if word.boundary else np.nan for k, word in enumerate(recording.words)
    ]
    scores = RecordingScores(
        recording, digest(audio.sample_rate, audio.samples.tobytes().hex()), times,
        {Cue.EMPHASIS.value: emphasis, Cue.LEVEL.value: level, Cue.END.value: np.array(ends, dtype=float),
         Cue.PAUSE.value: np.array([detectors[Cue.PAUSE].value(features, k + 1) for k in range(n)]),
         DURATION: np.exp(features.log_duration)},
    )  # fmt: skip
    for listener in listeners:
        try:
            heard = judge(listener, audio, times)
        except DataError as error:
            scores.unheard[listener.name] = error.message
            continue
        if listener.unit == "word":
            scores.words[listener.name] = heard
        else:
            scores.clip[listener.name] = float(heard[0])
    return scores
