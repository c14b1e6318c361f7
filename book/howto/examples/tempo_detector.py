"""A detector for something new: was a stretch of words spoken more slowly than in the plain clip?

Run this file: it measures a passage that was stretched by known amounts, and one that was not touched.
"""

from collections.abc import Sequence

import numpy as np

from harness.audio import Audio
from harness.prosody.align import align
from harness.prosody.features import measure

FLOOR = float(np.log(1.2))  # a fifth longer: what listeners notice of a segment (Klatt 1976, JASA 59:1208)


def log_length(audio: Audio, words: Sequence[str], start: int, end: int) -> float:
    """Mean log-duration of the words start to end, relative to all the others."""
    found = measure(audio, align(audio, words)).log_duration
    inside = np.zeros(len(words), dtype=bool)
    inside[start:end] = True
    return float(np.nanmean(found[inside]) - np.nanmean(found[~inside]))


def slowed(tagged: Audio, plain: Sequence[Audio], words: Sequence[str], start: int, end: int) -> tuple[float, bool]:
    """The difference to the mean of plain clips, and whether it is at least the floor."""
    usual = np.mean([log_length(clip, words, start, end) for clip in plain])
    difference = log_length(tagged, words, start, end) - usual
    return float(difference), bool(difference >= FLOOR)


if __name__ == "__main__":
    from harness.engines import SpeechRequest, make_engine
    from harness.prosody.edits import stretch
    from harness.tagged import TaggedText

    text = TaggedText.from_plain("You asked for proof so here are the numbers from last winter")
    plain = make_engine("espeak").speak(SpeechRequest(text)).audio
    times = align(plain, text.words)
    for factor in (1.0, 1.25, 1.5):  # a dose: words 4 to 7, edited
        edited = stretch(plain, times[4].start, times[7].end, factor)
        inside, outside = slowed(edited, [plain], text.words, 4, 8), slowed(edited, [plain], text.words, 0, 3)
        print(
            f"stretched by {factor}: {inside[0]:+.2f}, heard: {inside[1]}; placebo {outside[0]:+.2f}, heard: {outside[1]}"
        )
