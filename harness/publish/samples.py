"""Fixed samples of the long results: small measurements in files, which a test repeats.

The results in ``data/results/`` take up to several hours, so they are not measured again after every change of code. A sample takes
half a minute. If today's code still gives the same sample, it would also give the same long result. After a change that is meant
to move a figure, measure the long result again, and then the samples: ``python -m harness.publish.samples``.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from harness.audio import read_audio
from harness.benchmark.examples import fitted, report
from harness.datasets import load_examples
from harness.experiment import load_experiment, run
from harness.experiment.folder import RECORDS
from harness.paths import DATA
from harness.prosody.align import align
from harness.records import Arm, Clip
from harness.store import read_jsonl, write_atomic
from harness.tagged import TaggedText

FOLDER = DATA / "results" / "samples"
EXPERIMENT = DATA / "experiments" / "sample.yaml"
SENTENCES, RESAMPLES = 12, 200
TAGGERS = ("none", "random", "rules", "majority", "logistic")
EXACT = 1e-6  # relative
# Between processors, the samples of a neural voice differ in the last bit. Noise of that size (one step of 16 bits) changed the figures
# of Piper by up to 0.19 (JND, semitones), and those of Hibari and of espeak's unedited clips by less than 0.001.
LAST_BIT = 0.25
NEURAL = ("piper", "hibari")


def controls_sample() -> list[dict[str, Any]]:
    """Measure the sample of the control run.

    Returns
    -------
    list of dict
        Every record of the run of ``data/experiments/sample.yaml``; and for each of its plain and tagged clips, the start and end
        of the words in seconds.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run(load_experiment(EXPERIMENT), folder, jobs=1)
        records = [
            json.loads(record.line())
            for kind, model in RECORDS.items()
            if kind != "clips"
            for record in read_jsonl(folder / f"{kind}.jsonl", model)
        ]
        clips = [clip for clip in read_jsonl(folder / "clips.jsonl", Clip) if _is_timed(clip)]
        return [*records, *(_word_times(clip, folder) for clip in clips)]


def _is_timed(clip: Clip) -> bool:
    return clip.arm in (Arm.PLAIN, Arm.TAGGED) and clip.seed in (0, 1000) and clip.dialect != "prompted"


def _word_times(clip: Clip, folder: Path) -> dict[str, Any]:
    words = align(read_audio(folder / clip.audio), TaggedText.parse(clip.text).words)
    times = [[round(float(word.start), 4), round(float(word.end), 4)] for word in words]
    return {"engine": clip.engine, "text": clip.text, "seconds": clip.seconds, "words": times}


def placement_sample() -> list[dict[str, Any]]:
    """Measure the sample of the placement benchmark: tags and scores of each quick tagger on twelve held-out sentences."""
    heldout, rows = load_examples("heldout")[:SENTENCES], []
    for name in TAGGERS:
        placed = fitted(name, load_examples("train")).tag([example.tagged.stripped() for example in heldout])
        texts = {example.id: text.format() for example, text in zip(heldout, placed, strict=True)}
        rows.append({"tagger": name, "texts": texts, "figures": report(heldout, placed, RESAMPLES)})
    return rows


def load_sample(name: str) -> list[dict[str, Any]]:
    """Return the lines of a stored sample, ``controls`` or ``placement``."""
    return [json.loads(line) for line in (FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def changes(kept: Iterable[dict[str, Any]], measured: Iterable[dict[str, Any]]) -> list[str]:
    """Describe the differences between a stored sample and a new measurement; an empty list if there are none.

    Texts, counts and verdicts must be equal. Numbers may differ by `EXACT`, those of neural voices by `LAST_BIT`.
    """
    found: list[str] = []
    kept, measured = list(kept), list(measured)
    if len(kept) != len(measured):
        return [f"stored: {len(kept)} lines, measured: {len(measured)}"]
    for number, (before, now) in enumerate(zip(kept, measured, strict=True), start=1):
        neural = str(before.get("engine", "")).startswith(NEURAL)
        _compare(before, now, f"line {number}", LAST_BIT if neural else 0.0, found)
    return found


def _compare(before: Any, now: Any, where: str, tolerance: float, found: list[str]) -> None:
    if isinstance(before, dict) and isinstance(now, dict) and before.keys() == now.keys():
        for key in before:
            _compare(before[key], now[key], f"{where}, {key}", tolerance, found)
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for old, new in zip(before, now, strict=True):
            _compare(old, new, where, tolerance, found)
    elif isinstance(before, float) and isinstance(now, float):
        if not math.isclose(before, now, rel_tol=EXACT, abs_tol=tolerance):
            found.append(f"{where}: stored {before}, measured {now}")
    elif before != now:
        found.append(f"{where}: stored {before!r}, measured {now!r}")


def main() -> None:
    """Measure both samples, and store them."""
    FOLDER.mkdir(exist_ok=True)
    for name, lines in (("controls", controls_sample()), ("placement", placement_sample())):
        write_atomic(FOLDER / f"{name}.jsonl", "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))


if __name__ == "__main__":
    main()
