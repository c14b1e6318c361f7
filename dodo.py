"""The pipeline: notebooks -> results -> staged tree -> site. Run it with `make book`.

    .venv/bin/doit list            # what there is
    .venv/bin/doit notebook:07*    # one page
    .venv/bin/doit forget; make book   # everything anew

A task runs again only when a file it depends on changed: the notebook, the profile, the package code that it imports,
the data, or the environment's lock.
"""

import atexit
import os
import signal
import subprocess
import sys
from pathlib import Path

from doit.tools import config_changed

from harness.paths import BOOK, BUILD, DATA, NOTEBOOKS, ROOT
from harness.processes import killed_with_parent
from harness.provenance import EQUIVALENT
from harness.publish.hosting import repository_url
from harness.publish.site_extras import site_url
from harness.publish.sources import code_dependencies, module_dependencies

PROFILE = os.environ.get("PROFILE", "ci")
EXECUTED = BUILD / "executed"
EXPERIMENT = DATA / "experiments" / "quickstart.yaml"
QUICKSTART = BUILD / "results" / "quickstart"
FAULTS = BUILD / "results" / "faults.json"
BENCH, PUBLISHED_BENCH = BUILD / "results" / "bench.json", DATA / "results" / "bench.json"
STAGED = [
    BUILD / "stage" / "index.md",
    BUILD / "stage" / "reference" / "architecture_imports.md",
    BUILD / "stage" / "reference" / "benchmarks_tables.md",
]  # one copied, two made
HARNESS = ROOT / ".venv" / "bin" / "harness"
PYTEST = ROOT / ".venv" / "bin" / "pytest"
PATIENCE = 10  # seconds that a task may take to end after Ctrl-C
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))

HOSTED = {"repository": repository_url(), "site": site_url()}  # which links lead there

BUILD.mkdir(exist_ok=True)
DOIT_CONFIG = {
    "dep_file": str(BUILD / ".doit.json"),
    "backend": "kept",  # harness/publish/doit_state.py
    "default_tasks": ["site"],
    "verbosity": 2,
}

# Chapters whose trained tagger later ones use: they run first.
AFTER = {"07_tag_placement": ["notebook:06_training"], "11_end_to_end": ["notebook:06_training"]}
LEDGER = "12_claims"  # reads what all the others found


def files(*folders: Path, pattern: str = "*") -> list[str]:
    found = (path for folder in folders for path in sorted(folder.rglob(pattern)))
    return [str(path) for path in found if path.is_file() and path.parent.name != "__pycache__"]


def notebooks() -> list[Path]:
    return sorted(NOTEBOOKS.glob("*.ipynb"))


def run(*command: object) -> bool:
    """Run a command from the project's root; doit reports a False as failed, without a traceback.

    It ends with doit. After Ctrl-C, which it gets too, it may end in its own way.
    """
    child = subprocess.Popen([str(part) for part in command], cwd=ROOT, preexec_fn=killed_with_parent)
    try:
        return child.wait() == 0
    except SystemExit:
        try:
            child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        raise


def interrupted(*_: object) -> None:
    """Leave without a traceback; doit notes what is finished."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # once is enough
    said = "interrupted; finished tasks are kept, and the same command goes on"
    atexit.register(print, said, file=sys.stderr)  # after what the task says
    sys.exit(130)


signal.signal(signal.SIGINT, interrupted)


def task_notebook():
    """Execute a chapter with the profile's parameters."""
    shared = [*files(DATA / "examples", DATA / "models"), str(DATA / "claims.yaml"), *map(str, LOCKS)]
    measured = {
        "05_data": [str(DATA / "results" / "placement.json")],
        "06_training": [str(DATA / "results" / "placement.json")],
        "07_tag_placement": [str(DATA / "results" / "placement.json"), str(EQUIVALENT),
                             str(DATA / "published.yaml")],
        "10_audio_prosody": [str(DATA / "results" / "controls.json"), str(EQUIVALENT), *files(DATA / "sentences")],
        "11_end_to_end": files(DATA / "results", pattern="*.json"),
        LEDGER: [str(EXECUTED / notebook.name) for notebook in notebooks() if notebook.stem != LEDGER],
    }  # fmt: skip
    for notebook in notebooks():
        target = EXECUTED / notebook.name
        yield {
            "name": notebook.stem,
            "actions": [(run, [HARNESS, "chapter", "run", notebook.stem, "--profile", PROFILE, "--output", target])],
            "file_dep": [
                str(notebook),
                str(NOTEBOOKS / "parameters" / f"{PROFILE}.yaml"),
                *map(str, code_dependencies(notebook)),
                *shared,
                *measured.get(notebook.stem, []),
            ],
            "task_dep": AFTER.get(notebook.stem, []),
            "targets": [str(target)],
        }


def task_quickstart():
    """Run the quickstart experiment, whose figures the how-to quotes."""
    code = map(str, module_dependencies("harness.experiment"))
    return {
        "actions": [(run, [HARNESS, "run", EXPERIMENT, "--out", QUICKSTART, "--replace"])],
        "file_dep": [str(EXPERIMENT), *code, *files(DATA / "examples"), *map(str, LOCKS)],
        "targets": [str(QUICKSTART / "manifest.json")],
    }


def task_faults():
    """Try every fault of a speech server; the book's table of faults is made of what came of each."""
    code = map(str, module_dependencies("harness.engines.openai_speech"))
    return {
        "actions": [(run, [PYTEST, "-q", "-p", "no:cacheprovider", "tests/faults/test_faults.py"])],
        "file_dep": [*code, str(ROOT / "harness" / "chapters" / "ch09_higgs_api" / "faulty_server.py"),
                     str(ROOT / "tests" / "faults" / "test_faults.py"), *map(str, LOCKS)],
        "targets": [str(FAULTS)],
    }  # fmt: skip


def task_numbers():
    """Gather the numbers that the pages quote."""
    return {
        "actions": [(run, [HARNESS, "chapter", "numbers", "--profile", PROFILE])],
        "file_dep": [
            *(str(EXECUTED / notebook.name) for notebook in notebooks()),
            str(QUICKSTART / "manifest.json"),
            str(ROOT / "harness" / "publish" / "numbers.py"),
        ],
        "targets": [str(BUILD / "numbers.json")],
    }


def task_stage():
    """Bring the tree that Jupyter Book reads up to date."""
    return {
        "actions": [(run, [HARNESS, "chapter", "stage"])],
        "file_dep": [
            *files(BOOK),
            *(str(EXECUTED / notebook.name) for notebook in notebooks()),
            str(FAULTS),
            *(str(path) for path in (BENCH, PUBLISHED_BENCH) if path.is_file()),
            *files(ROOT / "harness", pattern="*.py"),  # whose imports are drawn
            str(ROOT / "pyproject.toml"),
            str(ROOT / "CONTRIBUTING.md"),
            str(ROOT / "SECURITY.md"),
        ],
        "targets": list(map(str, STAGED)),
        "uptodate": [config_changed(HOSTED)],
    }


def task_site():
    """Build the book; a warning is an error."""
    return {
        "actions": [(run, [HARNESS, "chapter", "site"])],
        "file_dep": [
            str(ROOT / "_config.yml"),
            *map(str, STAGED),
            str(BUILD / "numbers.json"),
            str(FAULTS),
            *(
                str(ROOT / "harness" / "publish" / name)
                for name in ("sphinx_extension.py", "site_extras.py", "glossary_links.py")
            ),
            *files(BOOK),
            str(ROOT / "CONTRIBUTING.md"),
            str(ROOT / "SECURITY.md"),
            *(str(EXECUTED / notebook.name) for notebook in notebooks()),
        ],
        "task_dep": ["stage"],
        "targets": [str(BUILD / "html" / "index.html")],
        "uptodate": [config_changed(HOSTED)],
    }
