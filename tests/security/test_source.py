"""What the project's own code must never do, read from its syntax."""

import ast
import json
import re
import subprocess

import pytest

from harness.paths import ROOT

FORBIDDEN = {"os.system", "os.popen", "eval", "exec", "yaml.load", "yaml.unsafe_load", "yaml.full_load", "pickle.load",
             "pickle.loads", "joblib.load", "dill.load", "marshal.loads", "shelve.open", "subprocess.getoutput"}  # fmt: skip
# The chapter shows what this option does, on two folders that it has written itself.
DEMONSTRATION, DEMONSTRATED = "notebooks/01_loading.ipynb", 2
LISTS = {"subprocess.run", "subprocess.Popen", "subprocess.call", "subprocess.check_call", "subprocess.check_output"}


def tracked(*patterns):
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", *patterns], cwd=ROOT, capture_output=True, check=True, text=True
    )
    return sorted(name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file())


def name_of(node):
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join(reversed([*parts, node.id])) if isinstance(node, ast.Name) else f"?.{'.'.join(reversed(parts))}"


def is_(node, value):
    return isinstance(node, ast.Constant) and node.value is value


def faults(tree):
    """What is wrong, in words, with line numbers."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for one in node.names:
                full = f"{getattr(node, 'module', None) or ''}.{one.name}".strip(".")
                if full.split(".")[0] in ("pickle", "dill", "marshal", "shelve"):
                    yield node.lineno, f"imports {full}"
        if isinstance(node, ast.Dict):
            pairs = zip(node.keys, node.values, strict=True)
            if any(
                isinstance(k, ast.Constant) and k.value == "trust_remote_code" and not is_(v, False) for k, v in pairs
            ):
                yield node.lineno, "trust_remote_code"
        if (
            isinstance(node, ast.Assign)
            and any(
                isinstance(t, ast.Subscript)
                and isinstance(t.slice, ast.Constant)
                and t.slice.value == "trust_remote_code"
                for t in node.targets
            )
            and not is_(node.value, False)
        ):
            yield node.lineno, "trust_remote_code"
        if isinstance(node, ast.Call):
            called, named = name_of(node.func), {one.arg: one.value for one in node.keywords}
            nothing = called == "exec" and [ast.unparse(one) for one in node.args] == ["''"]
            if called in FORBIDDEN and not nothing:  # exec("") runs no code
                yield node.lineno, called
            if "trust_remote_code" in named and not is_(named["trust_remote_code"], False):
                yield node.lineno, "trust_remote_code"
            # Left open, transformers asks on standard input. A GGUF file holds no code.
            if re.fullmatch(r"Auto\w+\.from_pretrained", called) and not named.keys() & {
                "trust_remote_code",
                "gguf_file",
                None,
            }:
                yield node.lineno, "trust_remote_code left open"
            if "shell" in named and not is_(named["shell"], False):
                yield node.lineno, "shell"
            if called == "torch.load" and not is_(named.get("weights_only"), True):
                yield node.lineno, "torch.load without weights_only=True"
            if (
                called in ("np.load", "numpy.load")
                and "allow_pickle" in named
                and not is_(named["allow_pickle"], False)
            ):
                yield node.lineno, "np.load with pickles"
            if called in LISTS and node.args and isinstance(node.args[0], (ast.Constant, ast.JoinedStr)):
                yield node.lineno, f"{called} of a string"


def sources():
    for name in tracked("harness/*.py", "requirements/*.py", "dodo.py", "book/*.py"):
        yield name, (ROOT / name).read_text(encoding="utf-8")
    for name in tracked("notebooks/*.ipynb"):
        cells = json.loads((ROOT / name).read_text(encoding="utf-8"))["cells"]
        for at, cell in enumerate(cells):
            if cell["cell_type"] == "code":
                yield f"{name}, cell {at}", "".join(cell["source"])


def test_the_source_does_nothing_of_the_kind():
    read, found = 0, []
    for name, text in sources():
        read += 1
        pages = name.startswith("notebooks/")  # load what they have made themselves
        found += [
            f"{name}:{line}: {what}"
            for line, what in faults(ast.parse(text))
            if not (pages and what == "trust_remote_code left open")
        ]
        assert "0.0.0.0" not in text, f"{name} names the address of every network"
    assert read > 300
    shown = [one for one in found if not one.startswith(f"{DEMONSTRATION}, cell ")]
    assert not shown, "\n".join(shown)
    assert len(found) - len(shown) == DEMONSTRATED and all(one.endswith("trust_remote_code") for one in found)


@pytest.mark.parametrize(
    "code",
    ["AutoModel.from_pretrained(x, trust_remote_code=True)", "f(trust_remote_code=flag)", "o['trust_remote_code'] = True",
     "o = {'trust_remote_code': 1}", "torch.load(p)", "torch.load(p, weights_only=False)", "import pickle",
     "from pickle import loads", "run(c, shell=True)", "os.system(c)", "eval(x)", "exec(x)", "exec('x')", "yaml.load(x)",
     "np.load(p, allow_pickle=True)", "subprocess.run('ls')", "subprocess.run(f'ls {x}')", "joblib.load(p)",
     "AutoTokenizer.from_pretrained(folder)"],
)  # fmt: skip
def test_each_would_be_found(code):
    assert list(faults(ast.parse(code)))


@pytest.mark.parametrize(
    "code", ["torch.load(p, weights_only=True)", "model.eval()", "yaml.safe_load(x)", "re.compile(x)", 'exec("")']
)
def test_what_is_allowed(code):
    assert not list(faults(ast.parse(code)))
