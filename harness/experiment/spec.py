"""The definition of an experiment: the fields of its YAML file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.datasets import sha256
from harness.engines.base import ENGINES
from harness.errors import DataError
from harness.experiment.sentences import EXAMPLES, SETS, Item, load_items, sentences_file
from harness.paths import is_file, relative
from harness.reading import Location, first_problem, key_value, line_of, read_yaml
from harness.tagged import TAGS, Tag

STANDARD, STANDARD_LISTENERS = "standard", ("emphases", "distillmos")
GOLD = "gold"  # the tagger that copies the reference
POSITIVE, NEGATIVE, LEAK = "positive", "negative", "leak"  # roles of engines in a control run


class EngineSpec(BaseModel):
    """One engine of an experiment; `options` go to the engine, `label` names it in the results.

    `role` is the behaviour that a control run expects: a "positive" engine obeys tags, a "negative" engine does not get them (and is
    scored as if it did), a "leak" engine reads them aloud. `limit` reduces the number of sentences; `dose` adds known edits of plain
    clips.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    voice: str | None = None
    label: str = ""
    options: dict[str, Any] = Field(default_factory=dict)
    role: Literal["", "positive", "negative", "leak"] = ""
    limit: int | None = Field(default=None, ge=1)
    dose: bool = False

    @property
    def title(self) -> str:
        """Name in the results."""
        return self.label or (f"{self.name}:{self.voice}" if self.voice else self.name)


class TaggerSpec(BaseModel):
    """One tagger of an experiment; ``gold`` copies the tags of the sentences."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    label: str = ""
    options: dict[str, Any] = Field(default_factory=dict)

    @property
    def title(self) -> str:
        """Name in the results."""
        return self.label or self.name


TIMEOUT = 120.0  # seconds
OWN_LIMITS = frozenset({"openai_speech", "higgs_boson", "higgs_native"})  # engines that load for minutes, or retry


class Experiment(BaseModel):
    """The fields of an experiment file.

    Parameters
    ----------
    sentences : str
        ``quick`` or ``standard`` (each sentence with each of `tags`), ``train``, ``heldout``, or a JSON Lines file: relative to the
        experiment file, or else to the project.
    limit : int
        Number of sentences (or lines) to use; all by default.
    plain_repeats : int
        K, the number of plain clips that a tagged clip is compared with. An engine that varies speaks one more plain clip, for its
        null.
    contrast : int
        Number of sentences of each tag in which the tag is also put on the other places (sets only).
    dose_sentences : int
        Number of sentences whose plain clips are edited by known amounts, for engines with ``dose: true``.
    timeout : float
        Time limit of an engine for one clip, in seconds. ``null`` means no limit, and the engine runs inside the worker process;
        this is the default if the experiment has an engine of `OWN_LIMITS`.
    listeners : list of str
        Models of listeners that judge the clips: names from ``harness doctor``. By default `STANDARD_LISTENERS` for the sentences
        ``standard``, and none for others.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
    SCHEMA: ClassVar[str] = "harness.experiment/1"

    schema_: Literal["harness.experiment/1"] = Field("harness.experiment/1", alias="schema")
    name: str = Field(pattern=r"^[A-Za-z0-9][\w.-]*$")
    sentences: str = "heldout"
    limit: int | None = Field(default=None, ge=1)
    taggers: list[TaggerSpec] = Field(default_factory=lambda: [TaggerSpec(name=GOLD)], min_length=1)
    engines: list[EngineSpec] = Field(min_length=1)
    seed: int = 0
    tags: list[Tag] = Field(default_factory=lambda: list(TAGS), min_length=1)
    plain_repeats: int = Field(default=3, ge=1)
    contrast: int = Field(default=0, ge=0)
    dose_sentences: int = Field(default=0, ge=0)
    placebo: bool = True
    check_leaks: bool = True
    timeout: float | None = Field(default=TIMEOUT, gt=0)
    listeners: list[str] | None = None

    @property
    def listening(self) -> list[str]:
        """Return the names of the listeners that judge the clips."""
        if self.listeners is None:
            return list(STANDARD_LISTENERS) if self.sentences == STANDARD else []
        return list(dict.fromkeys(self.listeners))

    def items(self) -> list[Item]:
        """Return the texts of the experiment, in the order of their file."""
        return load_items(self.sentences, limit=self.limit, tags=self.tags, contrast=self.contrast)


_PARTS: dict[str, type[BaseModel]] = {"engines": EngineSpec, "taggers": TaggerSpec}


def load_experiment(path: str | Path) -> Experiment:
    """Read an experiment file.

    Raises
    ------
    DataError
        If the file is not a valid experiment; the message names the file and the line or field.
    """
    fields, lines = read_yaml(path)
    if not isinstance(fields, dict):
        raise DataError("not an experiment: the file has no fields", path=path,
                        remedy="see data/experiments/quickstart.yaml")  # fmt: skip
    name = fields.get("sentences")
    if isinstance(name, str) and name not in {*SETS, *EXAMPLES} and is_file(beside := Path(path).parent / name):
        fields["sentences"] = relative(beside)  # the file beside the experiment comes before that of the project
    return validate(fields, path, lines)


def validate(
    fields: dict[str, Any], path: str | Path | None = None, lines: Mapping[Location, int] | None = None
) -> Experiment:
    """Build an `Experiment` from plain fields; see `load_experiment` for the errors."""
    for key in ("taggers", "engines"):
        if isinstance(fields.get(key), list):
            fields = {**fields, key: [{"name": item} if isinstance(item, str) else item for item in fields[key]]}
    try:
        experiment = Experiment.model_validate(fields)
        if "timeout" not in experiment.model_fields_set and OWN_LIMITS & {
            ENGINES.inside(spec.name) or spec.name for spec in experiment.engines
        }:
            experiment = Experiment.model_validate({**fields, "timeout": None})
            experiment.model_fields_set.discard("timeout")  # not given by the user, so `changed` may choose again
    except ValidationError as error:
        message, location, _ = first_problem(error, "experiment")
        unknown = [one["loc"] for one in error.errors(include_url=False) if one["type"] == "extra_forbidden"]
        location = unknown[0] if unknown else location  # a misspelled field is also missing under its right name
        part = _PARTS.get(str(location[0])) if len(location) > 2 else None
        known = [name.removesuffix("_") for name in (part.model_fields if part else Experiment.model_fields)]
        if unknown:
            near = get_close_matches(str(location[-1]), known, n=1)
            message = f"unknown field {'.'.join(map(str, location))!r}" + (
                f"; did you mean {near[0]!r}?" if near else ""
            )
        raise DataError(message, path=path, line=line_of(location, lines or {}),
                        remedy=f"fields of {location[0] if part else 'an experiment'} are: {', '.join(known)}") from error  # fmt: skip
    if experiment.sentences in SETS and [spec.name for spec in experiment.taggers] != [GOLD]:
        raise DataError(f"the set {experiment.sentences!r} has its own tags, one per clip, to test engines; it cannot be used with taggers",
                        path=path, remedy="leave `taggers` out, or use the sentences heldout")  # fmt: skip
    titles = {
        "taggers": [spec.title for spec in experiment.taggers],
        "engines": [spec.title for spec in experiment.engines],
    }
    for kind, names in titles.items():
        if len(set(names)) < len(names):
            raise DataError(f"two {kind} have the same name in the results", path=path, remedy="give each a label")
    return experiment


def changed(
    experiment: Experiment,
    *,
    sentences: str | None = None,
    engine: str | None = None,
    voice: str | None = None,
    label: str | None = None,
    role: str | None = None,
    options: Sequence[str] = (),
    limit: int | None = None,
    listeners: Sequence[str] | None = None,
) -> Experiment:
    """Return the experiment with the sentences, engine, voice, options or number of sentences from the command line.

    Parameters
    ----------
    experiment : Experiment
        Experiment from the file.
    sentences : str, optional
        Name of a set, or a file: relative to the current folder, or else to the project.
    engine : str, optional
        Engine that replaces all engines of the file.
    voice, label, role : str, optional
        Voice, name in the results, and role of that engine, or of the only engine in the file.
    options : sequence of str
        Options of that engine as ``key=value``; see `key_value`.
    limit : int, optional
        Number of sentences to use.
    listeners : sequence of str, optional
        Names of the listeners.

    Raises
    ------
    DataError
        If an option does not have that form, or if a voice, label, role or option is given and the file has several engines.
    """
    fields = experiment.model_dump(mode="json", by_alias=True)
    if sentences is not None:
        named = sentences in {*SETS, *EXAMPLES} or not is_file(Path(sentences))
        fields["sentences"] = sentences if named else relative(sentences)
        fields["name"] += "-" + _for_a_name(Path(sentences).stem)
    if engine is not None:
        fields["engines"] = [{"name": engine}]
        if "timeout" not in experiment.model_fields_set:
            del fields["timeout"]  # the default for another engine
    if engine is not None or label is not None:
        fields["name"] += "-" + _for_a_name(label or engine or "")  # separate run folder
    given = {name: value for name, value in (("voice", voice), ("label", label), ("role", role)) if value is not None}
    if given or options:
        if len(fields["engines"]) != 1:
            names = " and ".join([*(f"--{name}" for name in given), *(["--option"] if options else [])])
            raise DataError(f"{names}: this needs one engine, but the experiment has {len(fields['engines'])} engines",
                            remedy="choose one with --engine")  # fmt: skip
        [only] = fields["engines"]
        only |= given
        types = ENGINES.option_types(only["name"])
        only["options"] = {**only.get("options", {}), **dict(key_value(option, types) for option in options)}
    if limit is not None:
        fields["limit"] = limit
    if listeners is not None:
        fields["listeners"] = list(listeners)
    return validate(fields)


def _for_a_name(text: str) -> str:
    return re.sub(r"[^\w.]+", "-", text)


def data_checksums(experiment: Experiment) -> dict[str, str]:
    """Return the path and checksum of the file with the sentences."""
    path = sentences_file(experiment.sentences)
    return {relative(path): sha256(path)}
