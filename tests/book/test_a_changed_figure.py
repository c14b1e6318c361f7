"""A figure changed in a result file changes prose, table and ledger at the next build, and nothing else."""

import os
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest

from harness.paths import BUILD, ROOT
from harness.store import read_json, write_json

HTML = BUILD / "html"
QUOTING = {"index.html", "notebooks/10_audio_prosody.html", "notebooks/11_end_to_end.html", "notebooks/12_claims.html"}
# Lists of words; and the faults, whose waits tests/faults measures anew while this test runs.
UNRELATED = ("search.html", "genindex.html", "faults.html")
REMADE = ("10_audio_prosody", "11_end_to_end")  # their runs are needed whole, clips and all


class Text(HTMLParser):
    """The visible text of a page in pieces."""

    def __init__(self, html):
        super().__init__()
        self.pieces, self.hidden = [], 0
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.hidden += tag in ("script", "style")

    def handle_endtag(self, tag):
        self.hidden -= tag in ("script", "style")

    def handle_data(self, data):
        if data.strip() and not self.hidden:
            self.pieces.append(re.sub(r"\s+", " ", data.strip()))


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The project as it is, built, in a folder of its own: sources, executed pages and results, but no site."""
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
    shutil.copy2(BUILD / "numbers.json", root / "_build")
    state = (BUILD / ".doit.json").read_text(encoding="utf-8").replace(f"{ROOT}/", f"{root}/")
    (root / "_build" / ".doit.json").write_text(state, encoding="utf-8")
    return root


def _needless(folder, names):
    whole = any(f"/{chapter}-" in f"{folder}/" for chapter in REMADE)
    return [
        name for name in names if not whole and name.endswith((".wav", ".npz", ".safetensors", ".bin", ".pt", ".pth"))
    ]


def build(root):
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run([".venv/bin/doit", "site"], cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def pages(folder):
    """All pages but the unrelated ones; a first build lacks the checksum of a style sheet that it writes itself."""
    return {
        str(path.relative_to(folder)): re.sub(r"\?(v|digest)=[0-9a-f]+", "", path.read_text(encoding="utf-8"))
        for path in folder.rglob("*.html")
        if "_static" not in path.parts and path.name not in UNRELATED
    }


@pytest.mark.notebook
@pytest.mark.timeout(900)
def test_a_changed_figure_moves_prose_table_and_ledger_and_nothing_else(project):
    controls = project / "data" / "results" / "controls.json"
    content = read_json(controls)
    assert f"{content['leak']['found']:.2f}" == "1.00", "choose another figure: this one is not what it was"
    content["leak"] |= {"found": 0.37, "found_low": 0.31, "found_high": 0.43}
    write_json(controls, content)
    said = build(project)

    executed = set(re.findall(r"notebook:(\w+)", said)) - set(re.findall(r"-- notebook:(\w+)", said))
    assert executed == {"10_audio_prosody", "11_end_to_end", "12_claims"}
    before, after = pages(HTML), pages(project / "_build" / "html")
    assert before.keys() == after.keys()
    assert {page for page in before if before[page] != after[page]} == QUOTING
    for page in QUOTING:
        old, new = Text(before[page]).pieces, Text(after[page]).pieces
        assert len(old) == len(new)
        moved = [(a, b) for a, b in zip(old, new, strict=True) if a != b]
        assert moved and all("0.37" in b and "1.00" in a for a, b in moved), (page, moved)
    table, prose = "notebooks/10_audio_prosody.html", "index.html"
    assert "0.370 [0.310, 0.430]" in after[table] and "0.37 [0.31, 0.43]" in after[prose]
    card = after["notebooks/12_claims.html"].split('id="ledger-H3"')[1].split("</section>")[0]
    assert "0.37 [0.31, 0.43]" in card
