"""The pipeline: notebooks -> results -> staged tree -> site. Run it with `make book`.

    .venv/bin/doit list                # the tasks
    .venv/bin/doit notebook:07*        # one page
    .venv/bin/doit forget; make book   # rebuild everything

A task runs again only if a file it depends on has changed: the notebook, the profile, the package code that it imports,
the data, or the lock of an environment. `make book` runs two tasks at a time (``doit -n 2``); a chapter that measures
speed runs alone.
"""

import atexit
import fcntl
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from doit.tools import config_changed

from harness.paths import BOOK, BUILD, DATA, NOTEBOOKS, ROOT
from harness.processes import killed_with_parent
from harness.publish.bench_page import HERE
from harness.publish.hosting import repository_url, site_url
from harness.publish.sources import code_dependencies, module_dependencies
from harness.publish.stage import (
    BENCH_TABLES,
    CONTRIBUTING,
    EXECUTED,
    FAULTS,
    FLOOR_PICTURE,
    LEADER_TABLES,
    REPORT,
    REPORT_PAGE,
    SECURITY,
    STAGE,
)

PROFILE = os.environ.get("PROFILE", "ci")
EXPERIMENT = DATA / "experiments" / "quickstart.yaml"
QUICKSTART = BUILD / "results" / "quickstart"
TEMPLATE = ROOT / "harness" / "publish" / "report.html"
COPIED, GENERATED = ("index.md", REPORT_PAGE), (FLOOR_PICTURE, BENCH_TABLES, LEADER_TABLES)
STAGED = [STAGE / name for name in (*COPIED, *GENERATED)]
EXTENSION = [ROOT / "harness" / "publish" / f"{name}.py" for name in ("sphinx_extension", "hosting", "glossary_links")]
HARNESS = ROOT / ".venv" / "bin" / "harness"
PYTEST = ROOT / ".venv" / "bin" / "pytest"
PATIENCE = 10  # seconds that a task may take to end after Ctrl-C
SPEED_LOCK = BUILD / ".speed.lock"
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))

HOSTED = {"repository": repository_url(), "site": site_url()}  # addresses that the pages link to

BUILD.mkdir(exist_ok=True)
DOIT_CONFIG = {
    "dep_file": str(BUILD / ".doit.json"),
    "backend": "kept",  # harness/publish/doit_state.py
    "default_tasks": ["site"],
    "verbosity": 2,
    "par_type": "thread",  # tasks only wait for a child process; with threads, Ctrl-C lets that child end in its own way
}
DIRECT = {"capture": False}  # doit's capture of the output is not made for threads

# Chapters that use a tagger which another chapter trains.
AFTER = {"07_tag_placement": ["notebook:06_training"], "11_end_to_end": ["notebook:06_training"]}
LEDGER = "12_claims"  # reads the results of all other chapters
# Start first, so that the others fill the second place at the end. 11 waits for the tagger of 06.
FIRST = ("06_training", "10_audio_prosody", "11_end_to_end", "04_training_higgs")
# Chapters whose claims are about speed. They run last, as one that waits for its turn would block a place.
ALONE = ("07_tag_placement", "08_higgs_engine", "09_higgs_api")


def files(*folders: Path, pattern: str = "*") -> list[Path]:
    found = (path for folder in folders for path in sorted(folder.rglob(pattern)))
    return [path for path in found if path.is_file() and path.parent.name != "__pycache__"]


def notebooks() -> list[Path]:
    return sorted(NOTEBOOKS.glob("*.ipynb"))


def executed() -> list[Path]:
    return [EXECUTED / notebook.name for notebook in notebooks()]


CHILDREN: set[subprocess.Popen] = set()
STOPPED = threading.Event()  # by Ctrl-C


def run(*command: object, alone: bool = False) -> bool:
    """Run a command from the project's root; doit reports a False as a failure, without a traceback.

    The command ends with doit. After Ctrl-C, which it receives too, it has `PATIENCE` seconds to end in its own way.
    While a command runs `alone`, no other command of the pipeline runs.
    """
    with SPEED_LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        if STOPPED.is_set():
            return False
        child = subprocess.Popen([str(part) for part in command], cwd=ROOT, preexec_fn=killed_with_parent)
        CHILDREN.add(child)
        try:
            return child.wait() == 0
        finally:  # Ctrl-C may be the reason, where doit runs one task at a time
            end(child)
            CHILDREN.discard(child)


def end(child: subprocess.Popen) -> None:
    """Wait until a command ends; kill it if it takes too long."""
    try:
        child.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def interrupted(*_: object) -> None:
    """Leave without a traceback; the finished tasks are recorded already."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # once is enough
    STOPPED.set()
    atexit.register(leave)
    sys.exit(130)


def leave() -> None:
    """Wait for the commands that still run, so that the last word comes after theirs."""
    for child in list(CHILDREN):
        end(child)
    message = "interrupted; finished tasks are kept, and the same command resumes them"
    print(message, file=sys.__stderr__)


signal.signal(signal.SIGINT, interrupted)


def task_notebook():
    """Execute a chapter with the profile's parameters."""
    shared = [*files(DATA / "examples", DATA / "models"), DATA / "claims.yaml", *LOCKS]
    placement = DATA / "results" / "placement.json"
    measured = {
        "04_training_higgs": [
            DATA / "results" / "small_higgs.json",
            DATA / "results" / "higgs_curve.json",
            *files(DATA / "sentences"),
        ],
        "05_data": [placement],
        "06_training": [placement],
        "07_tag_placement": [placement, DATA / "published.yaml"],
        "10_audio_prosody": [
            DATA / "results" / "controls.json",
            DATA / "results" / "obey.json",
            DATA / "results" / "small_higgs.json",
            *files(DATA / "results", pattern="validation_*.json"),
            *files(DATA / "sentences"),
        ],
        "11_end_to_end": files(DATA / "results", pattern="*.json"),
        LEDGER: [path for path in executed() if path.stem != LEDGER],
    }
    for notebook in notebooks():
        target = EXECUTED / notebook.name
        yield {
            "name": notebook.stem,
            "actions": [(run, [HARNESS, "chapter", "run", notebook.stem, "--profile", PROFILE, "--output", target, "--force"],
                         {"alone": notebook.stem in ALONE})],
            "io": DIRECT,
            "file_dep": [
                notebook,
                NOTEBOOKS / "parameters" / f"{PROFILE}.yaml",
                *code_dependencies(notebook),
                *shared,
                *measured.get(notebook.stem, []),
            ],
            "task_dep": AFTER.get(notebook.stem, []),
            "targets": [target],
        }  # fmt: skip


def task_quickstart():
    """Run the quickstart experiment, whose figures the how-to quotes, and make its report, which the landing page links to."""
    code = module_dependencies("harness.experiment", "harness.publish.report")
    return {
        "actions": [
            (run, [HARNESS, "run", EXPERIMENT, "--out", QUICKSTART, "--replace"]),
            (run, [HARNESS, "report", QUICKSTART, "--force"]),
        ],
        "io": DIRECT,
        "file_dep": [EXPERIMENT, *code, TEMPLATE, *files(DATA / "examples"), *LOCKS],
        "targets": [QUICKSTART / "manifest.json", REPORT],
    }


def task_faults():
    """Try every fault of a speech server; the outcomes become the book's table of faults."""
    code = module_dependencies("harness.engines.openai_speech", "harness.chapters.ch09_higgs_api.faulty_server")
    test = ROOT / "tests" / "faults" / "test_faults.py"
    return {
        "actions": [(run, [PYTEST, "-q", "-p", "no:cacheprovider", test])],
        "io": DIRECT,
        "file_dep": [*code, test, *LOCKS],
        "targets": [FAULTS],
    }


def task_numbers():
    """Collect the numbers that the pages quote."""
    return {
        "actions": [(run, [HARNESS, "chapter", "numbers", "--profile", PROFILE])],
        "io": DIRECT,
        "file_dep": [*executed(), QUICKSTART / "manifest.json", ROOT / "harness" / "publish" / "numbers.py"],
        "targets": [BUILD / "numbers.json"],
    }


def task_stage():
    """Update the tree that Jupyter Book reads."""
    return {
        "actions": [(run, [HARNESS, "chapter", "stage"])],
        "io": DIRECT,
        "file_dep": [
            *files(BOOK),
            *executed(),
            FAULTS,
            REPORT,
            *([HERE] if HERE.is_file() else []),
            *files(DATA / "results", pattern="*.json"),  # of benchmarks, and of the leaderboard
            *files(ROOT / "harness", pattern="*.py"),  # the page of the architecture draws their imports
            ROOT / "pyproject.toml",
            CONTRIBUTING,
            SECURITY,
        ],
        "targets": STAGED,
        "uptodate": [config_changed(HOSTED)],
    }


def in_order() -> list[str]:
    """Return the tasks before the ledger in the order in which they are best started: no place is idle until chapters run alone."""
    stems = [stem for stem in dict.fromkeys([*FIRST, *(notebook.stem for notebook in notebooks())]) if stem != LEDGER]
    together, alone = ([f"notebook:{stem}" for stem in stems if (stem in ALONE) is last] for last in (False, True))
    return [*together, "faults", "quickstart", *alone]


def task_site():
    """Build the book; a warning is an error."""
    return {
        "actions": [(run, [HARNESS, "chapter", "site"])],
        "io": DIRECT,
        "file_dep": [
            ROOT / "_config.yml",
            *STAGED,
            BUILD / "numbers.json",
            FAULTS,
            *EXTENSION,
            *files(BOOK),
            CONTRIBUTING,
            SECURITY,
            *executed(),
        ],
        "task_dep": [*in_order(), "stage"],
        "targets": [BUILD / "html" / "index.html"],
        "uptodate": [config_changed(HOSTED)],
    }
