"""A figure changed in a result file changes prose, table and ledger at the next build, and nothing else.

The test ends before Sphinx: `test_site` checks that the site shows the staged pages and the collected numbers.
"""

import json
import os
import re
import shutil
import subprocess

import pytest

from harness.paths import BUILD, ROOT
from harness.store import read_json, write_json

QUOTING = {f"notebooks/{name}.ipynb" for name in ("10_audio_prosody", "11_end_to_end", "12_claims")}
UNRELATED = "faults_table.md"  # tests/faults measures its waits again while this test runs
REMADE = ("10_audio_prosody", "11_end_to_end")  # their runs are needed whole, with clips


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Copy the project with its executed pages and results, but without the site, into another folder."""
    root = tmp_path_factory.mktemp("copy") / "project"
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in filter(lambda name: (ROOT / name).is_file(), listed.stdout.splitlines()):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, root / name)
    origin = subprocess.run(
        ["git", "remote", "get-url", "origin"], cwd=ROOT, capture_output=True, text=True
    ).stdout.strip()
    if origin:  # the pages link there
        subprocess.run(["git", "init", "-q"], cwd=root, check=True)
        subprocess.run(["git", "remote", "add", "origin", origin], cwd=root, check=True)
    for name in (".venv", ".venv-boson"):
        (root / name).symlink_to(ROOT / name)
    for name in ("executed", "stage", "results"):
        shutil.copytree(BUILD / name, root / "_build" / name, ignore=_needless)
    shutil.copytree(BUILD / "models", root / "_build" / "models")  # chapter 11 tags with the tagger of chapter 6
    shutil.copy2(BUILD / "numbers.json", root / "_build")
    state = (BUILD / ".doit.json").read_text(encoding="utf-8").replace(f"{ROOT}/", f"{root}/")
    (root / "_build" / ".doit.json").write_text(state, encoding="utf-8")
    return root


def _needless(folder, names):
    whole = any(f"/{chapter}-" in f"{folder}/" for chapter in REMADE)
    return [
        name for name in names if not whole and name.endswith((".wav", ".npz", ".safetensors", ".bin", ".pt", ".pth"))
    ]


def doit(root, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run([".venv/bin/doit", *arguments], cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def pages(build):
    """Return the staged pages with the collected numbers filled in, in pieces between markup."""
    numbers = read_json(build / "numbers.json")
    texts = {
        path: path.read_text(encoding="utf-8") for path in (build / "stage").rglob("*.md") if path.name != UNRELATED
    }
    for path in (build / "stage").rglob("*.ipynb"):
        cells = read_json(path)["cells"]
        outputs = [one for cell in cells for one in _joined(cell.get("outputs", []))]
        text = json.dumps([*(cell["source"] for cell in cells), *outputs], indent=0, ensure_ascii=False)
        text = re.sub(r" at 0x[0-9a-f]+", "", text)  # the plain text of an object, which a page does not show
        # A rate and its interval are one piece.
        texts[path] = re.sub(r'<span class=\\"interval\\">([^<]*)</span>', r"\1", text)
    return {
        str(path.relative_to(build / "stage")): re.split(
            r"[<>\n]", re.sub(r"\{\{ (\w+)\.(\w+) \}\}", lambda found: str(numbers[found[1]][found[2]]), text)
        )
        for path, text in texts.items()
    }


def _joined(outputs):
    """Return the outputs of a cell without stderr; what was printed in several pieces, depending on the clock, is one."""
    printed = "".join("".join(one["text"]) for one in outputs if one.get("name") == "stdout")
    return [*([printed] if printed else []), *(one for one in outputs if one["output_type"] != "stream")]


@pytest.mark.notebook
@pytest.mark.timeout(900)
def test_a_changed_figure_moves_prose_table_and_ledger_and_nothing_else(project):
    controls = project / "data" / "results" / "controls.json"
    content = read_json(controls)
    was = content["leak"]["found"]
    content["leak"] |= {"found": 0.37, "found_low": 0.31, "found_high": 0.43}
    write_json(controls, content)
    said = doit(project, "numbers", "stage")

    executed = set(re.findall(r"notebook:(\w+)", said)) - set(re.findall(r"-- notebook:(\w+)", said))
    assert executed == {"10_audio_prosody", "11_end_to_end", "12_claims"}
    assert doit(project, "list", "--status", "site").startswith("R"), "the site is not built again"
    before, after = pages(BUILD), pages(project / "_build")
    assert before.keys() == after.keys()
    assert {page for page in before if before[page] != after[page]} == QUOTING
    for page in QUOTING:
        moved = [(a, b) for a, b in zip(before[page], after[page], strict=True) if a != b]
        assert moved and all("0.37" in b and (f"{was:.2f}" in a or f"{was:.3f}" in a) for a, b in moved), (page, moved)
    text = {page: " ".join(after[page]) for page in QUOTING}
    assert "0.370 [0.310, 0.430]" in text["notebooks/10_audio_prosody.ipynb"]
    ledger = text["notebooks/12_claims.ipynb"]
    assert "0.37 [0.31, 0.43]" in ledger.split("ledger-H3")[-1].split("/section")[0]
    assert "Tags read aloud that are found | 0.37 [0.31, 0.43]" in ledger
