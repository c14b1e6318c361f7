"""Clips of one sentence with tags from several sources, to listen to."""

from __future__ import annotations

from pathlib import Path

from harness.records import Arm, Clip, Prediction
from harness.store import read_jsonl

NOBODY = "nobody"


def one_sentence(folder: Path, engine: str, tagger: str) -> dict[str, Clip]:
    """Return clips of one sentence by the source of its tags: nobody, the reference, `tagger` and rules.

    The sentence is the one with the most kinds of reference tags among those that all three sources tagged; a source that placed no tag
    in it has no clip.

    Parameters
    ----------
    folder : Path
        Run folder.
    engine, tagger : str
        Titles in that run.
    """
    texts = {(p.tagger, p.id): p.tagged for p in read_jsonl(folder / "predictions.jsonl", Prediction)}
    spoken = [clip for clip in read_jsonl(folder / "clips.jsonl", Clip) if clip.engine == engine]
    sources = ("gold", tagger, "rules")
    names = list(dict.fromkeys(name for _, name in texts))
    shared = [name for name in names if all(texts[source, name].tags for source in sources)]
    chosen = max(shared or names, key=lambda name: len({tag for _, tag in texts["gold", name].tags}))
    plain = texts["gold", chosen].stripped().format()
    clips = {NOBODY: next(clip for clip in spoken if clip.arm is Arm.PLAIN and clip.text == plain)}
    tagged = {clip.tagger: clip for clip in spoken if clip.arm is Arm.TAGGED and clip.sentence == chosen}
    return clips | {source: tagged[source] for source in sources if source in tagged}
