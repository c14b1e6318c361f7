"""The commands, options, make targets, paths and Python names that texts for people mention exist.

Texts are pages, notebooks, docstrings and comments, and the strings of the code: help and error messages.
"""

import ast
import importlib
import io
import itertools
import json
import re
import shlex
import tokenize

import pytest
import typer

from harness.cli import app
from harness.datasets import REMOTES
from harness.engines.base import ENGINES
from harness.paths import BOOK, NOTEBOOKS, ROOT
from harness.taggers import tagger_names

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "data").rglob("*.md"), *BOOK.rglob("*.md"), *NOTEBOOKS.glob("*.ipynb")])
CODE = sorted([*(ROOT / "harness").rglob("*.py"), *(ROOT / "requirements").glob("*.py"), ROOT / "dodo.py"])
OTHERS = sorted([ROOT / "Makefile", *(ROOT / "data").glob("*.yaml"), *(ROOT / "data" / "experiments").glob("*.yaml"),
                 *(ROOT / ".github").rglob("*.yml"), ROOT / ".ci" / "run"])  # fmt: skip
SOURCES = [*PAGES, *CODE, *OTHERS]
HISTORY = ROOT / "CHANGELOG.md"  # may name what is gone
TARGETS = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
TOP = "harness|data|notebooks|book|tests|requirements"
NAMES = {"--tagger": tagger_names, "--engine": ENGINES.names, "fetch": lambda: [*REMOTES]}
NOT_WRITTEN_YET = ("data/results/",)  # long runs write there


def strings_of(source):
    """Return docstrings, comments and strings of Python code; the holes of an f-string become `X`."""
    found = [
        token.string
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    ]
    inside = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            inside |= {id(part) for part in node.values}
            found.append("".join(part.value if isinstance(part, ast.Constant) else "X" for part in node.values))
    found += [
        node.value for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside
    ]  # fmt: skip
    return "\n\n".join(found)


def text_of(path):
    """Return the texts of a file: of a notebook, its markdown cells and the strings and comments of its code."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return strings_of(text)
    if path.suffix != ".ipynb":
        return text
    cells = [(cell["cell_type"], "".join(cell["source"])) for cell in json.loads(text)["cells"]]
    return "\n\n".join(
        source if kind == "markdown" else strings_of(re.sub(r"^[%!].*$", "", source, flags=re.M))
        for kind, source in cells
    )


def lines_of(text):
    """Yield the shell lines of a text: in blocks, between backticks, indented, and after a colon in a message."""
    for block in re.findall(r"```+(?:\{code-block\} )?(?:bash|sh|shell|console)\n(.*?)```", text, re.DOTALL):
        yield from (line.removeprefix("$ ") for line in block.replace("\\\n", " ").splitlines())
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    yield from re.findall(r"(?<!`)``?((?:harness|make|echo|\.venv/bin/harness) [^`\n]+)``?", text)
    yield from re.findall(r"^(?: {4}|@?\$\(BIN\)/|\t@\$\(BIN\)/)((?:harness|make) .+)$", text, re.MULTILINE)
    yield from re.findall(r": (harness [a-z]+(?: [a-z0-9_-]+)*(?: --[a-z-]+)*)", text)
    yield from re.findall(r"(?:^|run: |remedy: )(make [a-z0-9-]+)$", text, re.MULTILINE)


def commands_of(text):
    """Yield the commands of a text as lists of words; comments are left out."""
    for line in lines_of(text):
        try:
            words = shlex.split(line, comments=True)
        except ValueError:  # a quotation mark that goes on in the next line
            continue
        command: list[str] = []
        for word in [*words, "|"]:
            if word in ("&&", "|", "\\", ">", "||"):
                if command:
                    yield command
                command = []
            else:
                command.append(word)


def check_harness(words):
    """Walk down to the subcommand, then look up each option."""
    command = typer.main.get_command(app)
    rest = list(words)
    while hasattr(command, "commands") and rest and re.match(r"[a-z]", rest[0]):
        assert rest[0].rstrip(".,;:") in command.commands, f"no command {rest[0]!r} in {' '.join(words)!r}"
        command = command.commands[rest.pop(0).rstrip(".,;:")]
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    for option, value in itertools.pairwise(words):
        if option in NAMES and re.fullmatch(r"[a-z]\w+", value):
            assert value in NAMES[option](), f"no {option.strip('-')} is called {value!r}"
    for word in rest:
        if re.match(r"-{1,2}[a-z]", word) and not command.context_settings.get("ignore_unknown_options"):
            name = word.split("=")[0].rstrip(".,;:)")
            assert name in known | {"--help", "-h"}, f"no option {name!r} of {command.name} in {' '.join(words)!r}"


def check_commands(text):
    for words in commands_of(text):
        if words[0].endswith("harness"):
            check_harness(words[1:])
        elif words[0] == "make":
            targets = {word for word in words[1:] if "=" not in word and re.match(r"[a-z]", word)}
            targets = set() if ":" in words else targets  # a parameter called `make`
            assert targets <= TARGETS, words
        for word in words:
            if re.match(rf"({TOP})/[\w/.-]+\.\w+$", word) and not word.startswith(NOT_WRITTEN_YET):
                assert (ROOT / word).is_file(), f"{word} is not there"


def missing_paths(text):
    """Paths of the project that do not exist; ``NN_name``, capitals, ``*`` and braces stand for any name."""
    named = re.findall(rf"(?<!`)``?((?:{TOP})/[^`\s]*)``?", text)
    named += re.findall(rf"(?<![\w/.*`:-])((?:{TOP})/[\w./-]*\w\.(?:py|md|ya?ml|jsonl?|ipynb|txt|lock|bib))\b", text)
    patterns = {
        name: re.sub(r"NN_\w+|chNN\w*|\{[^}]*\}|\b[A-Z]{2,}\b|\bX\b|<[^>]*>", "*", name).split(":")[0] for name in named
    }
    return [
        name for name, pattern in patterns.items()
        if not pattern.startswith(NOT_WRITTEN_YET) and not any(ROOT.glob(pattern.rstrip("/.,")))
    ]  # fmt: skip


def missing_names(text):
    """Dotted names of the package between backticks that cannot be imported."""
    missing = []
    for name in re.findall(r"(?<!`)``?(harness(?:\.\w+)+)(?::\w+)?(?:\(\))?``?", text):
        parts = name.removesuffix(".__main__").split(".")  # importing it would run it
        found = None
        for end in range(len(parts), 0, -1):
            try:
                found = importlib.import_module(".".join(parts[:end]))
                break
            except ModuleNotFoundError as error:
                if error.name and not error.name.startswith("harness"):  # a package of the other environment
                    found = None
                    break
        else:
            missing.append(name)
        for part in parts[end:] if found else ():
            found = getattr(found, part, None) or (getattr(found, "model_fields", {}).get(part))
            if found is None:
                missing.append(name)
                break
    return missing


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_everything_that_a_text_names_exists(path):
    text = text_of(path)
    if path != HISTORY:
        check_commands(text)
        assert missing_paths(text) == []
        assert missing_names(text) == []


def test_the_check_finds_what_is_wrong():
    wrong = "harness/report/*_claims.py"
    assert missing_paths(f"See `data/claims.yaml`, `{wrong}` and `harness/chapters/chNN_name/verdict.py:7`.") == [wrong]
    assert missing_paths("It is in harness/report/claims.py, not in data/claims.yaml.") == ["harness/report/claims.py"]
    assert missing_names("`harness.tagged.TaggedText.parse`, `harness.report`, ``harness.store.nothing``") == [
        "harness.report", "harness.store.nothing",
    ]  # fmt: skip
    for text, said in (
        ("`harness seay hello`", "no command 'seay'"),
        ("```bash\necho x | harness say hello --loud\n```", "no option '--loud'"),
        ("train it: harness train gtp2 --out DIR", "no command 'gtp2'"),
        ("    harness higgs convert A B --bass C", "no option '--bass'"),
        ("``harness score clips``", "no command 'clips'"),
        ("run: make everything", "everything"),
        ("`make bok`", "bok"),
    ):
        with pytest.raises(AssertionError, match=said):
            check_commands(text)
    assert sum(len(list(commands_of(text_of(page)))) for page in PAGES) > 80
    assert sum(len(list(commands_of(text_of(path)))) for path in CODE) > 40


def test_messages_in_code_are_read():
    source = (
        'def f(x):\n    """Do `make book`."""\n    # see data/README.md\n    return f"run: harness data fetch {x}"\n'
    )
    text = strings_of(source)
    assert {" ".join(words) for words in commands_of(text)} == {"harness data fetch", "make book"}
    assert "see data/README.md" in text
