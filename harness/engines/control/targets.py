"""Targets: what markup with sizes of its own asks for, such as a pause of 250 ms, or a sentence 2.5 semitones higher.

The seven tags have doses, which belong to the voice (`harness.engines.control.plan.Doses`). SSML and the control tags of Higgs say
how much. Their sizes are added to the plan, so that a voice can be held to what the markup promises.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from harness.engines.control.plan import Doses, Movement, Phone, Plan, Shape, make_plan
from harness.tagged import Tag, TaggedText

FACTOR_LIMITS = 0.25, 4.0  # of the length of a phone, if passages that overlap multiply
SILENT_DB = -60.0  # the level of `harness.audio.SILENCE_PEAK`, below which nothing is heard


@dataclass(frozen=True)
class Passage:
    """Neighbouring words that are to be spoken differently.

    Parameters
    ----------
    first, last : int
        Indices of the first and the last word.
    semitones, decibels : float
        Change of F0 and of level.
    rate : float
        Pace relative to the plain one; 2 is twice as fast.
    emphasis : float
        Strength of an accent on each word, as a share of that of ``<emph>``; negative for less stress than usual.
    """

    first: int
    last: int
    semitones: float = 0.0
    decibels: float = 0.0
    rate: float = 1.0
    emphasis: float = 0.0


@dataclass(frozen=True)
class Targets:
    """What the markup of a text asks for.

    Parameters
    ----------
    silence : mapping of int to float
        Seconds of silence to add at slots.
    passages : sequence of Passage
        Changes of passages that overlap add up.
    lost : sequence of str
        What the markup asks for that cannot be done, and why.
    """

    silence: Mapping[int, float] = field(default_factory=dict)
    passages: Sequence[Passage] = ()
    lost: Sequence[str] = ()


def add_targets(plan: Plan, targets: Targets) -> Plan:
    """Return a plan with targets added; passages without a word that the voice says are left out."""
    spoken = {word: [i for i, _ in run] for word, run in groupby(enumerate(plan.phones), lambda item: item[1].word)}
    factors, silence, movements = [*plan.factors], dict(plan.silence), [*plan.movements]
    for passage in targets.passages:
        words = [word for word in range(passage.first, passage.last + 1) if word in spoken]
        if not words:
            continue
        first, last = spoken[words[0]][0], spoken[words[-1]][-1]
        for index in range(first, last + 1):
            factors[index] /= passage.rate
        if passage.semitones or passage.decibels:
            tag = Tag.PITCH_HIGH if passage.semitones >= 0 else Tag.PITCH_LOW
            whole = first, last
            movements.append(
                Movement(tag, Shape.LEVEL, words[0], *whole, whole, whole, passage.semitones, passage.decibels)
            )
        if passage.emphasis:
            accents = _accents(plan.text.words, words, plan.phones, _scaled(plan.doses, passage.emphasis))
            factors = [one * other for one, other in zip(factors, accents.factors, strict=True)]
            # An accent lowers the rest of its phrase, which only the last of them should do.
            movements += [one for one in accents.movements if one.shape is Shape.ACCENT or one.word == words[-1]]
            if words[0] in accents.silence:
                silence.setdefault(words[0], accents.silence[words[0]])
    for slot, seconds in targets.silence.items():
        silence[slot] = silence.get(slot, 0.0) + seconds
    shortest, longest = FACTOR_LIMITS
    factors = [min(max(factor, shortest), longest) for factor in factors]
    return replace(
        plan, factors=tuple(factors), silence=dict(sorted(silence.items())), movements=tuple(dict.fromkeys(movements))
    )


def _accents(text: Sequence[str], words: Sequence[int], phones: Sequence[Phone], doses: Doses) -> Plan:
    return make_plan(TaggedText(text, [(word, Tag.EMPH) for word in words]), phones, doses)


def _scaled(doses: Doses, strength: float) -> Doses:
    """Return doses with an emphasis of another strength."""
    return replace(
        doses,
        accent=doses.accent * strength,
        accent_level=doses.accent_level * strength,
        stressed=doses.stressed**strength,
        unstressed=doses.unstressed**strength,
        lead=doses.lead if strength >= 1 else 0.0,
        after=doses.after * strength,
        after_level=doses.after_level * strength,
    )
