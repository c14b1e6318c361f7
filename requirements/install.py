#!/usr/bin/env python3
"""Create or update the project's two environments.

    python3 requirements/install.py              # .venv and .venv-boson, kernel `boson` registered in .venv
    python3 requirements/install.py --only main  # one of them
    python3 requirements/install.py --lock       # resolve pyproject.toml again and rewrite the locks

Requires only Python 3.11, 3.12 or 3.13. An environment is updated only if its lock, pyproject.toml or the Python
version has changed, so a second call takes a fraction of a second. Logs: _build/logs/.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ROOT / "requirements"
LOGS = ROOT / "_build" / "logs"
STAMP = ".installed"
SUPPORTED = ((3, 11), (3, 12), (3, 13))

# name: (folder, extras of pyproject.toml, disk needed in GB: measured 2.4 and 2.0, with room for pip's temporary files)
ENVIRONMENTS = {"main": (".venv", "models,audio,voices,api,cluster,book,dev", 4), "boson": (".venv-boson", "boson", 4)}
NO_DEPS = {"main": LOCKS / "main-no-deps.lock", "boson": LOCKS / "boson-no-deps.lock"}
ASIDE = LOCKS / "main-aside.lock"
MORE_LOCKS = {"main": [NO_DEPS["main"], ASIDE], "boson": [NO_DEPS["boson"]]}


class Problem(Exception):
    """A problem that the user can fix; printed as one line."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=ENVIRONMENTS, help="install only this environment")
    parser.add_argument("--lock", action="store_true", help="rewrite requirements/*.lock from pyproject.toml")
    arguments = parser.parse_args()
    names = [arguments.only] if arguments.only else list(ENVIRONMENTS)
    try:
        check_machine()
        for name in names:
            lock(name) if arguments.lock else install(name)
        if not arguments.lock and len(names) == 2:
            register_kernel()
    except Problem as problem:
        print(f"install: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("install: interrupted; run the same command again to continue", file=sys.stderr)
        return 130
    return 0


def check_machine() -> None:
    if sys.version_info[:2] not in SUPPORTED:
        wanted = ", ".join(".".join(map(str, version)) for version in SUPPORTED)
        raise Problem(
            f"this is Python {sys.version.split()[0]}, the project needs one of {wanted}; "
            "install one and run `make book PYTHON=/path/to/python3.11`"
        )
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError as error:
        raise Problem(
            f"Python's module {error.name!r} is missing; on Debian or Ubuntu: apt install python3-venv"
        ) from None


def install(name: str) -> None:
    folder, _, gigabytes = ENVIRONMENTS[name]
    target, lockfile = ROOT / folder, LOCKS / f"{name}.lock"
    state = fingerprint(name)
    stamp = target / STAMP
    if stamp.is_file() and stamp.read_text() == state:
        return
    if target.is_symlink():  # venv --clear would empty the folder it leads to
        raise Problem(
            f"{folder} is a link to {target.resolve()}, which may belong to another project; remove the link and run this command again"
        )
    free = shutil.disk_usage(ROOT).free / 1e9
    if free < gigabytes:
        raise Problem(
            f"{folder} needs about {gigabytes} GB and {free:.1f} GB are free on {ROOT}; make room and run this command again"
        )
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / f"install-{name}.log"
    print(
        f"Installing {folder} from {lockfile.relative_to(ROOT)} (minutes; log: {log.relative_to(ROOT)}) ...", flush=True
    )
    begun = time.monotonic()
    with log.open("w") as out:
        stamp.unlink(missing_ok=True)
        run([sys.executable, "-m", "venv", "--clear", target], out, log)
        pip = [python_of(target), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        run([*pip, "-r", lockfile], out, log)
        run([*pip, "--no-deps", "-r", NO_DEPS[name]], out, log)
        if name == "main":
            run([*pip, "--no-deps", "--target", target / "aside", "-r", ASIDE], out, log)
        run([*pip, "--no-deps", "--no-build-isolation", "-e", ROOT], out, log)
    stamp.write_text(state)
    print(f"Installed {folder} in {time.monotonic() - begun:.0f} s", flush=True)


def register_kernel() -> None:
    """Make .venv-boson the Jupyter kernel `boson` of .venv."""
    main_env, boson_env = (ROOT / ENVIRONMENTS[name][0] for name in ("main", "boson"))
    spec = main_env / "share" / "jupyter" / "kernels" / "boson" / "kernel.json"
    if spec.is_file() and str(python_of(boson_env)) in spec.read_text():
        return
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / "install-kernel.log"
    command = [python_of(boson_env), "-m", "ipykernel", "install", "--prefix", main_env, "--name", "boson",
               "--display-name", "boson (transformers 4.46.3)"]  # fmt: skip
    with log.open("w") as out:
        run(command, out, log)


def lock(name: str) -> None:
    """Install the newest allowed versions into a scratch environment and write their versions into the lock."""
    _, extras, _ = ENVIRONMENTS[name]
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / f"lock-{name}.log"
    with tempfile.TemporaryDirectory() as scratch, log.open("w") as out:
        run([sys.executable, "-m", "venv", scratch], out, log)
        pip = [python_of(Path(scratch)), "-m", "pip"]
        run([*pip, "install", "--quiet", f"{ROOT}[{extras}]", "setuptools"], out, log)
        frozen = subprocess.run([*map(str, pip), "freeze", "--all", "--exclude", "pip", "--exclude", "prosody-harness"],
                                check=True, capture_output=True, text=True).stdout  # fmt: skip
    # The local label of torch (+cpu) belongs to the build on this machine; the lock holds the version only.
    pins = sorted(re.sub(r"^(torch==[0-9.]+)\+\w+$", r"\1", line) for line in frozen.splitlines())
    # What only other versions of Python need has a marker, which `pip freeze` here does not show: kept, to be updated by hand.
    marked = [line for line in (LOCKS / f"{name}.lock").read_text().splitlines() if ";" in line]
    named = {line.split("==")[0] for line in marked}
    pins = [pin for pin in pins if pin.split("==")[0] not in named] + marked
    header = f"# Written by `make lock` from pyproject.toml (extras: {extras}). Do not edit.\n"
    (LOCKS / f"{name}.lock").write_text(header + "\n".join(pins) + "\n")
    print(f"Wrote requirements/{name}.lock: {len(pins)} packages")


def fingerprint(name: str) -> str:
    """Return a digest of everything that an installed environment depends on."""
    locks = [LOCKS / f"{name}.lock", *MORE_LOCKS[name]]
    pyproject = ROOT / "pyproject.toml"
    files = [*locks, pyproject]
    for file in files:
        if not file.is_file():
            raise Problem(
                f"{file.relative_to(ROOT)} is missing; restore it with `git checkout -- {file.relative_to(ROOT)}`"
            )
    import tomllib  # new in 3.11, and main() has checked the version by now

    project = json.dumps(tomllib.loads(pyproject.read_text())["project"], sort_keys=True)
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in locks) + project.encode()).hexdigest()
    return f"python {sys.version.split()[0]} at {ROOT}\nlocks {digest}\n"


def python_of(environment: Path) -> Path:
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def run(command: list, out, log: Path) -> None:
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    result = subprocess.run([str(part) for part in command], stdout=out, stderr=subprocess.STDOUT, env=environment)
    if result.returncode:
        out.flush()
        raise Problem(explain(log))


def explain(log: Path) -> str:
    """Return one line that explains why an installation failed, for the usual reasons."""
    text = log.read_text(errors="replace")
    where = f"log: {log.relative_to(ROOT)}"
    for pattern, advice in (
        (r"No space left on device", "the disk is full; make room and run this command again"),
        (r"Temporary failure in name resolution|Connection refused|NewConnectionError|Network is unreachable|Read timed out"
         r"|ConnectTimeout|ProxyError", "the package index cannot be reached; check the network or PIP_INDEX_URL and try again"),
        (r"ensurepip.*returned non-zero|No module named (venv|ensurepip)", "Python has no working venv module; on Debian or "
         "Ubuntu: apt install python3-venv"),
        (r"No matching distribution found for (\S+)", "a pinned package has no build for this Python or machine"),
    ):  # fmt: skip
        if found := re.search(pattern, text):
            name = f" ({found.group(1)})" if found.lastindex and "matching" in pattern else ""
            return f"{advice}{name}; {where}"
    lines = [line for line in text.splitlines() if "ERROR" in line] or text.splitlines() or ["no output"]
    return f"{lines[-1].strip()}; {where}"


if __name__ == "__main__":
    sys.exit(main())
