"""Kill `harness run` repeatedly: no work is lost or done twice, and the files end with the same bytes."""

from __future__ import annotations

import json
import random
import shutil
import time
from pathlib import Path
from typing import Any

import yaml

from tests.faults.processes import HARNESS, Command, content

EXPERIMENT = {
    "name": "faults",
    "sentences": "heldout",
    "limit": 16,
    "taggers": ["gold", "rules"],
    "engines": ["espeak"],
}
# Every fifth kill comes within `LAST` seconds after all sentences are done: files are sorted, and the manifest is written.
ENDING, LAST = "the ending", 1.0
RECORDS = ("outcomes.jsonl", "scores.jsonl", "clips.jsonl", "predictions.jsonl", "units.jsonl")


def command(experiment: Path, folder: Path) -> list[object]:
    return [*HARNESS, "run", experiment, "--out", folder, "--jobs", 2]


def write_experiment(folder: Path, **changes: Any) -> Path:
    path = folder / "experiment.yaml"
    path.write_text(yaml.safe_dump({**EXPERIMENT, **changes}))
    return path


def whole_lines(path: Path) -> list[str]:
    """Return the lines that end with a newline."""
    return path.read_text().split("\n")[:-1] if path.exists() else []


def units(folder: Path) -> set[str]:
    return set(whole_lines(folder / "units.jsonl"))


def doubled(folder: Path) -> int:
    """Count the repeated lines in the files of records."""
    found = [whole_lines(folder / name) for name in RECORDS]
    return sum(len(lines) - len(set(lines)) for lines in found)


def rendered(folder: Path) -> dict[str, tuple[int, int]]:
    """Return inode and time of each clip, which change if the clip is rendered again."""
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in (folder / "clips").glob("*.wav")}


def clips_of(folder: Path, done: set[str]) -> set[str]:
    """Return the file names of the clips of finished sentences."""
    names = {json.loads(line)["sentence"] for line in done}
    clips = [json.loads(line) for line in whole_lines(folder / "clips.jsonl")]
    return {Path(clip["audio"]).name for clip in clips if clip["sentence"] in names}


def near_its_end(folder: Path) -> bool:
    """Return whether all sentences are done."""
    return (folder / "manifest.json").exists() or len(units(folder)) == EXPERIMENT["limit"]


def kill_runs(folder: Path, kills: int, generator: random.Random) -> dict[str, Any]:
    """Run once undisturbed, then kill runs at random moments or near their end, and compare the files."""
    experiment = write_experiment(folder)
    reference = Command(command(experiment, folder / "reference"), folder / "reference.log")
    assert reference.wait() == 0, reference.said
    seconds = time.monotonic() - reference.begun
    expected = content(folder / "reference")
    rows: list[dict[str, Any]] = []
    runs, differing, left = 0, set[str](), list[str]()
    started: list[Command] = []
    target, before, clips = folder / "killed", set[str](), dict[str, tuple[int, int]]()
    while True:
        complete = (target / "manifest.json").exists()  # such a run has no end to wait for
        started.append(running := Command(command(experiment, target), folder / "killed.log"))
        aim = ENDING if len(rows) % 5 == 4 and not complete else "any moment"
        if aim == ENDING and len(rows) < kills:
            while running.process.poll() is None and not near_its_end(target):
                time.sleep(0.005)
        kind = generator.choice(("parent", "group"))
        patience = generator.uniform(0, LAST if aim == ENDING else seconds) if len(rows) < kills else 600
        ended = running.ended_within(patience) or not running.kill(kind)
        moment = time.monotonic() - running.begun
        now = rendered(target)
        repeated = sum(now.get(name) != state for name, state in clips.items())
        if ended:
            assert running.process.returncode == 0, running.said
            runs += 1
            found = content(target)
            differing |= {name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)}
            left += [path.name for path in target.rglob("*.part")]
            if rows and before:
                rows[-1]["lost"] = repeated
            shutil.rmtree(target)
            before, clips = set(), {}
            if len(rows) >= kills:
                break
            continue
        after = before if (target / "manifest.json").exists() else units(target)  # complete: the list of units is gone
        # Half of the runs are resumed at once, when workers of the killed run may not have noticed yet.
        orphans, lasted = running.left() if generator.random() < 0.5 else ([], 0.0)
        rows.append({"moment": round(moment, 1), "aim": aim, "kind": kind, "finished before": len(before), "finished after": len(after),
                     "lost": len(before - after) + repeated, "doubled": doubled(target), "orphans": orphans,
                     "last child ended after": round(lasted, 1)})  # fmt: skip
        before, clips = after, {name: now[name] for name in clips_of(target, after)}
        print(f"run   {len(rows):2d} {rows[-1]}", flush=True)
    left += [process for one in started for process in one.left()[0]]
    return {"seconds": round(seconds, 1), "sentences": EXPERIMENT["limit"], "runs": runs, "kills": rows,
            "files": len(expected), "differing": sorted(differing), "left": left}  # fmt: skip
