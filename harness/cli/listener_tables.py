"""The option `--listeners`, and the tables of what listeners judged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from harness.cli.output import print_table
from harness.errors import DataError

NONE = "none"  # instead of names
Listeners = Annotated[
    str | None,
    typer.Option(
        metavar="NAMES",
        help="Models of listeners that also judge the clips, separated by commas: emphases (prominence of words), "
        "distillmos (quality of clips), heard_words (words that a recogniser hears), others from `harness doctor`, or none.",
    ),
]


def listener_names(given: str | None) -> list[str] | None:
    """Return the names of the option `--listeners`; None if it was not given.

    Raises
    ------
    DataError
        If a name is empty.
    """
    if given is None:
        return None
    names = [name.strip() for name in given.split(",")]
    if names == [NONE]:
        return []
    if "" in names or NONE in names:
        raise DataError(f"--listeners expects names separated by commas, got {given!r}",
                        remedy="for instance --listeners emphases,distillmos")  # fmt: skip
    return list(dict.fromkeys(names))


def print_listeners(title: str, listeners: Mapping[str, Mapping[str, Any]]) -> None:
    """Print what each listener judged, as `harness.prosody.listeners.rates` returns it."""
    if not listeners:
        return
    from harness.publish.run_tables import LISTENED, listener_rows

    for name, found in listeners.items():
        rows = listener_rows(found)
        columns = list(rows[0]) if rows else ["tag"]
        print_table(f"{title}: {name}, {LISTENED[found['unit']]}", columns, [list(row.values()) for row in rows])


def print_compared(title: str, found: Mapping[str, Any]) -> None:
    """Print the comparison of two sides by one listener, as `harness.experiment.compare_listeners` returns it."""
    from harness.publish.run_tables import mean_of

    names = ("rose_most", "rise") if found["unit"] == "word" else ("score", "change")
    rows = [
        [tag, str(row["n"]), *(
            cell for name in names
            for cell in ("\n".join(mean_of(row, f"{side}_{name}").split(" ")[0] for side in ("baseline", "other")),
                         mean_of(row, f"difference_{name}").replace(" ", "\n", 1))
        )]
        for tag, row in (*found["per_tag"].items(), ("all", found["all"]))
    ]  # fmt: skip
    columns = [cell for name in names for cell in (f"{name.replace('_', ' ')}\nbase\nother", "difference")]
    print_table(title, ["tag", "pairs", *columns], rows)
