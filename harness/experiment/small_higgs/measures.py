"""What is measured on clips of the grammar's sentences: words, tags, and placebos."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.audio import Audio
from harness.higgs.codec import RATE
from harness.prosody.rates import MEASURED, hit_rate, named, per_tag, share_of
from harness.prosody.recognise import recognise, transcript, word_errors
from harness.prosody.scorer import analyse, analyse_tagged, judge, score_clip, unmeasurable
from harness.provenance import git_state, machine, package_versions
from harness.records import Arm, Outcome, Verdict
from harness.stats import ClusterBootstrap, ratio
from harness.tagged import TaggedText

KEPT = ("asked", "n", "hit", "leaked", "unmeasurable", "hit_rate", "low", "high", "placebo_n", "false_positive", "fp_low", "fp_high",
        "median", "unit", "threshold", "reasons")  # fmt: skip


@dataclass(frozen=True)
class Spoken:
    """A clip of a tagged sentence.

    Parameters
    ----------
    sentence : str
        Name of the sentence.
    text : TaggedText
    samples : array, optional
        At 24 kHz; None if there was no sound.
    stopped : bool
        Whether the model itself ended its speech.
    """

    sentence: str
    text: TaggedText
    samples: NDArray[np.float32] | None
    stopped: bool = True

    @property
    def audio(self) -> Audio:
        """The clip, within full scale."""
        assert self.samples is not None
        return Audio(np.clip(self.samples, -1, 1).astype(np.float32), RATE)


def word_counts(clips: Sequence[Spoken], vocabulary: Collection[str] = ()) -> list[list[int]]:
    """Return the word errors by pocketsphinx and the number of words of each clip; parameters as for `word_error_rate`."""
    counts = []
    for clip in clips:
        expected = transcript(clip.text.plain)
        heard = [] if clip.samples is None else recognise(clip.audio, vocabulary)
        counts.append([word_errors(expected, heard), len(expected)])
    return counts


def word_error_rate(clips: Sequence[Spoken], vocabulary: Collection[str] = ()) -> dict[str, Any]:
    """Return the word error rate by pocketsphinx, with a 95 % interval over sentences.

    Parameters
    ----------
    clips : sequence of Spoken
    vocabulary : collection of str
        The only words that can be heard; by default English with pocketsphinx' language model.
    """
    counts = word_counts(clips, vocabulary)
    bootstrap = ClusterBootstrap([clip.sentence for clip in clips], counts)
    interval = bootstrap.interval(lambda total: ratio(total[..., 0], total[..., 1]), rate=False)
    return {**named("wer", interval), "errors": sum(row[0] for row in counts), "words": sum(row[1] for row in counts)}


def tag_outcomes(plain: Sequence[Spoken], clips: Sequence[Spoken], progress: Any = None) -> list[Outcome]:
    """Return the verdict on each tag and its placebo, each clip compared with the plain one of its sentence."""
    features = {clip.sentence: "no sound" if clip.samples is None else analyse(clip.audio, clip.text) for clip in plain}
    found: list[Outcome] = []
    for done, clip in enumerate(clips, start=1):
        if clip.samples is None:
            scores = unmeasurable(clip.text, "no sound")
        else:
            measured, intruded = analyse_tagged(clip.audio, clip.text, clip.text.tags)
            scores = score_clip(clip.text, measured, [features[clip.sentence]], intruded=intruded)
        found += [judge(score.named("small", "grammar", clip.sentence)) for score in scores]
        if progress:
            progress(done, len(clips))
    return found


def tag_table(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return hits, placebos and leaks by tag and of all tags.

    ``hits_of_all`` counts a tag whose clip does not say its words as a failure; ``hit_rate`` leaves it out, as elsewhere in this book.
    """
    tagged = [o for o in outcomes if o.arm is Arm.TAGGED]
    placebo = [o for o in outcomes if o.arm is Arm.PLACEBO]
    hits = [o.verdict is Verdict.HIT for o in tagged]
    return {
        "tags": {name: {field: row[field] for field in KEPT if field in row} for name, row in per_tag(outcomes).items()},
        "asked": len(tagged), "hits": sum(hits), "leaked": sum(o.verdict is Verdict.LEAKED for o in tagged),
        "unmeasurable": sum(o.verdict is Verdict.UNMEASURABLE for o in tagged),
        **named("hits_of_all", share_of(hits, [o.sentence for o in tagged])),
        **named("hit_rate", hit_rate(tagged)),
        **named("placebo", hit_rate(placebo)), "placebo_n": sum(o.verdict in MEASURED for o in placebo),
    }  # fmt: skip


def provenance() -> dict[str, Any]:
    """Return when, where and with which versions something was measured."""
    revision, changed = git_state()
    return {"created": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine(), "packages": package_versions(),
            "git_revision": revision, "uncommitted_changes": changed}  # fmt: skip
