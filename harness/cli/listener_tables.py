"""The option `--listeners`, and the tables of what listeners judged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from harness.cli.output import print_table
from harness.errors import DataError
from harness.publish.tables import interval, rate_of

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
    for name, found in listeners.items():
        if found["unit"] == "clip":
            rows = [
                [tag, str(row["n"]), *(_shown(row, arm) for arm in ("tagged", "plain", "change"))]
                for tag, row in (*found["per_tag"].items(), ("all", found["all"]))
            ]
            print_table(f"{title}: {name}, quality of the clips", ["tag", "n", "tagged", "plain", "change"], rows)
            continue
        rows = [
            [tag, str(row["n"]), interval(*rate_of(row, "rose_most")), interval(row["chance"], None, None),
             interval(*rate_of(row, "placebo_rose_most")), _shown(row, "rise"), str(row["unmeasurable"])]
            for tag, row in found["per_tag"].items()
        ]  # fmt: skip
        columns = ["tag", "n", "rose most", "chance", "placebo", "rise", "unmeas."]
        print_table(f"{title}: {name}, prominence of the tagged word", columns, rows)


def _shown(row: Mapping[str, Any], name: str) -> str:
    """Format a mean with its interval, without a negative zero."""
    value, low, high = (figure if figure is None else round(figure, 2) + 0.0 for figure in rate_of(row, name))
    return interval(value, low, high)


def print_compared(title: str, found: Mapping[str, Any]) -> None:
    """Print the comparison of two sides by one listener, as `harness.experiment.compare_listeners` returns it."""
    names = ("rose_most", "rise") if found["unit"] == "word" else ("score", "change")
    rows = [
        [tag, str(row["n"]), *(
            cell for name in names
            for cell in ("\n".join(_shown(row, f"{side}_{name}").split(" ")[0] for side in ("baseline", "other")),
                         _shown(row, f"difference_{name}").replace(" ", "\n", 1))
        )]
        for tag, row in (*found["per_tag"].items(), ("all", found["all"]))
    ]  # fmt: skip
    columns = [cell for name in names for cell in (f"{name.replace('_', ' ')}\nbase\nother", "difference")]
    print_table(title, ["tag", "pairs", *columns], rows)
