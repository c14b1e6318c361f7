"""What the voices that obey have in common: from tagged text over chunks and plan to speech with word times."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, ClassVar

from harness.audio import Audio
from harness.engines.base import Speech
from harness.engines.control.curves import Span
from harness.engines.control.plan import Doses, Plan, lost_tags, make_plan
from harness.engines.control.signal import add_silence, quietest_time
from harness.engines.control.targets import Targets, add_targets
from harness.engines.control.tokens import Chunk, arrange, chunks_of, phones_of
from harness.engines.marks import spoken
from harness.records import WordTime
from harness.tagged import Tag, TaggedText, printable

ONSET = 0.05  # seconds at the end of the space before a word that belong to it: its first sound begins there
_EDGE = 0.04  # seconds around the gap between two words in which the quietest place is looked for
_KEPT = 64  # texts whose chunks are kept


def session(part: bytes) -> Any:
    """Return an onnxruntime session with one thread, so that samples do not depend on the load of the machine."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(part, options, providers=["CPUExecutionProvider"])


class ObeyingVoice(ABC):
    """A voice whose lengths, pauses, F0 and level are set as the tags ask.

    Subclasses say how a text becomes tokens, and how chunks become sound.
    """

    doses: ClassVar[Doses]
    natural_gap: ClassVar[float]  # seconds of silence that the voice makes at a comma

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, ...], list[Chunk]] = OrderedDict()
        self._alone: dict[str, Sequence[str]] = {}

    @abstractmethod
    def tokens(self, text: str) -> list[list[str]]:
        """Return the tokens of each chunk of a text."""

    @abstractmethod
    def sound(self, chunks: Sequence[Chunk], plan: Plan, seed: int) -> tuple[Audio, list[Span]]:
        """Render chunks with the lengths that they ask for, and the movements of the plan.

        Returns
        -------
        Audio
        list of (float, float)
            Start and end of each phone of the plan in seconds.
        """

    def lost(self, text: TaggedText) -> dict[tuple[int, Tag], str]:
        """Return the tags that this voice cannot obey, and why."""
        return lost_tags(text, {phone.word for phone in phones_of(self._chunks(text.words))}) if text.tags else {}

    def speak(self, text: TaggedText, seed: int, targets: Targets | None = None) -> Speech:
        """Speak a text as its tags and targets ask. Without a sound, the audio is empty."""
        chunks = deepcopy(self._chunks(text.words))
        plan = make_plan(text, phones_of(chunks), self.doses)
        if targets:
            plan = add_targets(plan, targets)
        remaining = arrange(plan, chunks, self.natural_gap)
        audio, spans = self.sound(chunks, plan, seed)
        return add_pauses(audio, word_times(text, plan, spans), remaining)

    def _chunks(self, words: tuple[str, ...]) -> list[Chunk]:
        """Return the unchanged chunks of a text, which are kept: the same sentence is often spoken with several tags."""
        if words not in self._known:
            text, kept = spoken(TaggedText(words))
            for word in text.words:
                if word not in self._alone:
                    self._alone[word] = [token for chunk in self.tokens(printable(word)) for token in chunk]
            chunks = chunks_of(self.tokens(printable(text.plain)), [self._alone[word] for word in text.words])
            for chunk in chunks:
                chunk.words = [kept[word] if word >= 0 else -1 for word in chunk.words]
            self._known[words] = chunks
            if len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return self._known[words]


def settled(bounds: Sequence[Span], chunks: Sequence[Chunk], late: float) -> list[Span]:
    """Return start and end of each phone of the words, from those of all tokens.

    The end of the space before a word belongs to it, and the mark of stress too.

    Parameters
    ----------
    bounds : sequence of (float, float)
        Start and end of each token of all chunks in seconds.
    chunks : sequence of Chunk
    late : float
        Seconds by which the boundaries of this voice are late.
    """
    words = [word for chunk in chunks for word in chunk.words]
    spans: list[Span] = []
    for place, (start, end) in enumerate(bounds):
        if words[place] < 0:
            continue
        if place and words[place - 1] < 0:
            start -= min(ONSET, start - bounds[place - 1][0])
        spans.append((max(0.0, start - late), max(0.0, end - late)))
    return spans


def add_pauses(audio: Audio, times: Sequence[WordTime], silence: Mapping[int, float]) -> Speech:
    """Insert seconds of silence at slots, each at the quietest place of its gap."""
    times = [*times]
    for slot in sorted(silence, reverse=True):
        audio = add_silence(audio, _gap(audio, times, slot), silence[slot])
        times[slot:] = [
            WordTime(word=time.word, start=time.start + silence[slot], end=time.end + silence[slot])
            for time in times[slot:]
        ]
    return Speech(audio, tuple(times))


def word_times(text: TaggedText, plan: Plan, spans: Sequence[Span]) -> list[WordTime]:
    """Return the times of all words; a word that is not spoken has no length."""
    found: dict[int, Span] = {}
    for phone, (start, end) in zip(plan.phones, spans, strict=True):
        found[phone.word] = (found.get(phone.word, (start, end))[0], end)
    times, here = [], 0.0
    for index, word in enumerate(text.words):
        start, end = found.get(index, (here, here))
        start = max(start, here)
        here = max(end, start)
        times.append(WordTime(word=word, start=start, end=here))
    return times


def _gap(audio: Audio, times: Sequence[WordTime], slot: int) -> float:
    """Return the quietest time in the gap at a slot."""
    if slot == 0:
        first = times[0].start
        return min(quietest_time(audio, 0.0, max(first, 0.03)), first)
    if slot == len(times):
        last = times[-1].end
        return quietest_time(audio, max(last - 0.02, 0.0), max(audio.seconds - 0.02, last))
    before, after = times[slot - 1], times[slot]
    early, late = (
        min(_EDGE, (word.end - word.start) / 2) for word in (before, after)
    )  # not beyond a word as short as "a"
    return quietest_time(audio, min(before.end, after.start) - early, max(before.end, after.start) + late)
