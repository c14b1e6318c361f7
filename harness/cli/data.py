"""`harness data`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.output import AsJson, print_json, print_table

FEW = 3  # files whose paths are listed

app = typer.Typer(no_args_is_help=True, help="List the data sets, and fetch those that are not embedded.")


@app.command("list")
def list_data(as_json: AsJson = False) -> None:
    """List embedded and remote data sets, and where each was found."""
    from harness.datasets import REMOTES, examples_file, load_examples, locate
    from harness.paths import relative

    rows = [
        {"name": split, "what": f"{len(load_examples(split))} tagged examples", "licence": "CC0",  # type: ignore[arg-type]
         "here": [relative(examples_file(split))]}  # type: ignore[arg-type]
        for split in ("train", "heldout")
    ]  # fmt: skip
    rows += [
        {"name": name, "what": remote.what, "licence": remote.licence,
         "here": [str(path) for file in remote.files if (path := locate(file.path))]}
        for name, remote in REMOTES.items()
    ]  # fmt: skip
    if as_json:
        print_json(rows)
        return
    table = [
        [row["name"], row["what"], row["licence"], _where(row["here"]) or f"harness data fetch {row['name']}"]
        for row in rows
    ]
    print_table("Data", ["name", "what", "licence", "here"], table)  # type: ignore[arg-type]


def _where(paths: Sequence[str]) -> str:
    """Return the paths of a few files, or the folders of many."""
    if len(paths) <= FEW:
        return "\n".join(paths)
    folders = Counter(str(Path(path).parent) for path in paths)
    return "\n".join(f"{folder} ({count} files)" for folder, count in folders.items())


@app.command("fetch")
def fetch(name: Annotated[str, typer.Argument(help="A name from `harness data list`.")]) -> None:
    """Download a data set into the cache and verify its checksum, unless a copy already exists."""
    from harness.datasets import fetch as fetch_data

    fetch_data(name, report=typer.echo)
