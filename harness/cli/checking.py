"""`harness new` and `harness check`: start an engine, tagger or detector of your own, and try it."""

from __future__ import annotations

import sys
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.output import AsJson, Force, print_json, print_table


class Kind(str, Enum):
    """What `harness new` can start."""

    ENGINE = "engine"
    TAGGER = "tagger"
    DETECTOR = "detector"


# The example of each how-to, and the names in it that become the user's: registered name and class.
_EXAMPLES = {
    Kind.ENGINE: ("pausing_engine.py", "pausing", "PausingEngine"),
    Kind.TAGGER: ("number_tagger.py", "numbers", "NumberTagger"),
    Kind.DETECTOR: ("tempo_detector.py", "", ""),
}


def new(
    kind: Annotated[Kind, typer.Argument(help="What to start.")],
    name: Annotated[str, typer.Argument(help="Name of the module; the file is NAME.py.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File to write; NAME.py by default.")] = None,
    force: Force = False,
) -> None:
    """Write a commented file that works as it is: an engine, a tagger or a detector to change into your own.

    It is the example of the how-to guides. The engine adds pauses to espeak, the tagger stresses numbers, the detector hears slow
    passages.

    Example: `harness new engine mine`, then `PYTHONPATH=. harness check mine:MineEngine`
    """
    import importlib.util

    from harness.engines.base import ENGINES
    from harness.errors import HarnessError
    from harness.outputs import check_output
    from harness.paths import BOOK
    from harness.taggers.base import TAGGERS

    target = out or Path(f"{name}.py")
    if not (name.isidentifier() and name.isascii() and name == name.lower()):
        raise HarnessError(
            f"not the name of a module: {name!r}", remedy="use small letters, digits and _, such as my_engine"
        )
    known = {Kind.ENGINE: ENGINES.names, Kind.TAGGER: TAGGERS.names}.get(kind, list)()
    found = importlib.util.find_spec(name)
    if name in known or name in sys.stdlib_module_names or (found and found.origin != str(target.resolve())):
        raise HarnessError(f"the name {name!r} is taken", remedy="choose another, such as my_" + name)
    check_output(target, force=force)
    example, registered, example_class = _EXAMPLES[kind]
    text = (BOOK / "howto" / "examples" / example).read_text(encoding="utf-8")
    own_class = "".join(part.capitalize() for part in name.split("_")).removesuffix(kind.value.capitalize())
    own_class += kind.value.capitalize()
    if example_class:
        text = text.replace(example_class, own_class).replace(f'"{registered}', f'"{name}')
    target.write_text(text, encoding="utf-8")
    path = "" if target.resolve().parent == Path.cwd() else f"{target.parent}/"
    then = f"PYTHONPATH={path or '.'} harness check {target.stem}:{own_class}" if example_class else f"python {target}"
    typer.echo(f"{target}: works as it is; try it: {then}")


def check(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Registered name, or package.module:Class, of an engine or tagger.")
    ],
    option: Annotated[list[str] | None, typer.Option(help="Option of it, KEY=VALUE; may be repeated.")] = None,
    voice: Annotated[str | None, typer.Option(help="Voice of the engine; its default voice if not given.")] = None,
    as_json: AsJson = False,
) -> None:
    """Try an engine or tagger on a sentence or three, before a long run.

    An engine speaks one sentence, plain and with each of the seven tags. Each tag is measured once, against the floor of its
    detector: this shows what is wired up wrongly, not how good the engine is. A tagger gets three texts, and must not change the words.

    Exit code 1 means that something is broken; a tag that cannot be heard is only reported.

    Example: `harness check espeak`, or `harness check mypackage.voice:MyEngine --option speed=1.1`
    """
    from harness.engines.base import ENGINES
    from harness.experiment.selfcheck import try_engine, try_tagger
    from harness.reading import key_value
    from harness.taggers.base import TAGGERS

    tagger = name in TAGGERS.names() or (name not in ENGINES.names() and hasattr(ENGINES.find(name), "tag"))
    registry = TAGGERS if tagger else ENGINES
    types = registry.option_types(name) if option else {}
    options = dict(key_value(one, types) for one in option or [])
    if tagger:
        trials = try_tagger(name, options)
        problems = ["the tagger changed the words"] if not all(trial.unchanged for trial in trials) else []
        if as_json:
            print_json({"tagger": name, "texts": [vars(trial) for trial in trials], "problems": problems})
        else:
            rows = [[trial.tagged, "unchanged" if trial.unchanged else "CHANGED"] for trial in trials]
            print_table(f"{name}: three texts", ["tagged", "words"], rows)
    else:
        trial = try_engine(name, options, voice)
        problems = trial.problems
        if as_json:
            print_json(trial.as_json())
        else:
            rows = [
                [one.tag, "–" if one.seconds is None else f"{one.seconds:.2f} s", "yes" if one.expressible else "no",
                 "–" if one.value is None else f"{one.value:+.2f} {one.unit}", one.needed, one.verdict]
                for one in trial.tags
            ]  # fmt: skip
            title = (
                f"{name}, dialect {trial.dialect}: one sentence with each tag; {trial.plain_seconds:.2f} s without tags"
            )
            print_table(title, ["tag", "clip", "expressible", "measured", "needed", "verdict"], rows)
    for problem in problems:
        typer.echo(f"harness: {problem}", err=True)
    if problems:
        raise typer.Exit(1)
