"""A run's result file: what the pages quote, with where it comes from.

A run folder is large and stays where it was made; its summary, with provenance, is small and can be committed or sent. Whoever
made it, `harness.experiment.result_files` holds it to a schema when the book reads it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.datasets import sha256
from harness.errors import DataError
from harness.experiment.folder import MANIFEST, SUMMARY, is_complete
from harness.experiment.sentences import SETS_FILE
from harness.paths import DATA
from harness.provenance import bare_sources, python_files, same_code
from harness.records import RunManifest, digest
from harness.store import read_json, write_json

RESULT = DATA / "results" / "controls.json"
SCHEMA = "harness.result/1"
PROVENANCE = ("created", "machine", "packages", "revisions", "parameters", "counts", "git_revision")
# What can change a figure of the control run. Commands, pages and readers of other people's files cannot.
_CODE = (
    "tagged.py", "stats.py", "audio.py", "engines/dialects.py", "engines/espeak.py", "engines/hibari.py", "engines/piper.py",
    "prosody/align.py", "prosody/contrast.py", "prosody/detectors.py", "prosody/edits.py", "prosody/features.py",
    "prosody/leak.py", "prosody/null.py", "prosody/placebo.py", "prosody/pronounce.py", "prosody/scorer.py",
    "experiment/doses.py", "experiment/sentences.py", "experiment/unit.py",
)  # fmt: skip


def measuring_code() -> str:
    """Hash of the code and sentences behind a run's scores; comments and docstrings do not count."""
    return digest(*bare_sources(python_files(_CODE)), sha256(SETS_FILE))


def publish(folder: Path, target: Path = RESULT) -> Path:
    """Write the summary of a finished run, with its provenance, as a result file.

    Raises
    ------
    DataError
        If the run is not complete, or had failures.
    """
    if not is_complete(folder):
        raise DataError("this run is not complete", path=folder, remedy="finish it with `harness run`")
    summary = read_json(folder / SUMMARY)
    if summary["failed_units"]:
        raise DataError(f"this run has {summary['failed_units']} failed sentences: {summary['failures']}", path=folder,
                        remedy="run it again; only what failed is tried")  # fmt: skip
    manifest = RunManifest.model_validate(read_json(folder / MANIFEST))
    provenance = {name: getattr(manifest, name) for name in PROVENANCE}
    write_json(target, {"schema": SCHEMA, "code": measuring_code(), "provenance": provenance, **summary})
    return target


def stale(result: dict[str, Any]) -> str:
    """In words, why a result file does not belong to today's code; empty if it does."""
    if result.get("schema") != SCHEMA:
        return f"its schema is {result.get('schema')!r}, not {SCHEMA!r}"
    if result["code"] not in same_code(measuring_code()):
        return "it was measured with other code or sentences; run `harness run data/experiments/controls.yaml --result " \
               "data/results/controls.json` again"  # fmt: skip
    return ""
