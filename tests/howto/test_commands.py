"""The commands, options, make targets and files that the pages name exist."""

import json
import re
import shlex

import pytest
import typer

from harness.cli import app
from harness.paths import BOOK, NOTEBOOKS, ROOT

PAGES = [
    ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "data/README.md", "data/results/README.md")
]
PAGES += [*sorted(BOOK.rglob("*.md")), *sorted(NOTEBOOKS.glob("*.ipynb"))]
TARGETS = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def lines_of(page):
    """Yield the lines of a page's shell blocks, joined at backslashes, and the commands between backticks."""
    text = page.read_text(encoding="utf-8")
    if page.suffix == ".ipynb":
        cells = (cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown")
        text = "\n\n".join("".join(cell["source"]) for cell in cells)
    for block in re.findall(r"```bash\n(.*?)```", text, re.DOTALL):
        yield from block.replace("\\\n", " ").splitlines()
    yield from re.findall(r"(?<!`)`((?:harness|make) [^`\n]+)`", text)


def commands_of(page):
    """Word lists of the commands of one page; comments are left out."""
    for line in lines_of(page):
        words = shlex.split(line, comments=True) if line.count('"') % 2 == 0 else []
        command: list[str] = []
        for word in [*words, "|"]:
            if word in ("&&", "|", "\\"):
                if command:
                    yield command
                command = []
            else:
                command.append(word)


def check_harness(words):
    """Walk down to the subcommand, then look up each option."""
    command = typer.main.get_command(app)
    rest = list(words)
    while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
        assert rest[0] in command.commands, f"no command {rest[0]!r}"
        command = command.commands[rest.pop(0)]
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    for word in rest:
        if re.match(r"-{1,2}[a-z]", word) and not command.ignore_unknown_options:
            assert word.split("=")[0] in known | {"--help"}, f"no option {word!r} of {command.name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_exists(page):
    for words in commands_of(page):
        if words[0].endswith("harness"):
            check_harness(words[1:])
        elif words[0] == "make":
            targets = [word for word in words[1:] if "=" not in word]
            assert set(targets) <= TARGETS, words
        for word in words:
            if (
                re.match(r"(data|notebooks|book|tests|requirements)/[\w/.-]+\.\w+$", word)
                and "data/results/" not in word
            ):
                assert (ROOT / word).is_file(), f"{word} is not there"


def prose_of(page):
    """Text of a page; of a notebook, that of its markdown cells and of the cells that display Markdown."""
    text = page.read_text(encoding="utf-8")
    if page.suffix != ".ipynb":
        return text
    cells = [(cell["cell_type"], "".join(cell["source"])) for cell in json.loads(text)["cells"]]
    return "\n\n".join(source for kind, source in cells if kind == "markdown" or "Markdown(" in source)


def missing_paths(text):
    """Paths of the project between backticks that do not exist; ``NN_name``, ``*`` and braces stand for any name."""
    named = re.findall(r"(?<!`)`((?:harness|data|notebooks|book|tests|requirements)/[^`\s]*)`", text)
    patterns = {name: re.sub(r"NN_\w+|\{[^}]*\}", "*", name).split(":")[0].rstrip("/") for name in named}
    return [name for name, pattern in patterns.items() if not any(ROOT.glob(pattern))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_in_prose_exists(page):
    assert missing_paths(prose_of(page)) == []


def test_the_check_finds_what_is_wrong():
    wrong = "harness/report/*_claims.py"
    assert missing_paths(f"See `data/claims.yaml`, `{wrong}` and `harness/chapters/chNN_name/verdict.py:7`.") == [wrong]
    with pytest.raises(AssertionError, match="no command"):
        check_harness(["seay", "hello"])
    with pytest.raises(AssertionError, match="no option"):
        check_harness(["say", "hello", "--loud"])
    assert sum(len(list(commands_of(page))) for page in PAGES) > 80
