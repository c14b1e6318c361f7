"""What an experiment is: the fields of its YAML file, and the sentences it names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.datasets import sha256
from harness.errors import DataError
from harness.experiment.sentences import SETS, Item, load_items, sentences_file
from harness.paths import relative
from harness.reading import Location, first_problem, key_value, line_of, read_yaml
from harness.tagged import TAGS, Tag

GOLD = "gold"  # the tagger that copies the reference


class EngineSpec(BaseModel):
    """One engine of an experiment; `options` go to the engine, `label` names it in the results.

    `role` says what a control run expects of it: "positive" obeys tags, "negative" is not told them (and scored as if it were),
    "leak" reads them aloud. `limit` lets it speak fewer sentences; `dose` adds known edits of its plain clips.
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
OWN_LIMITS = frozenset({"openai_speech", "higgs_boson", "higgs_native"})  # they load for minutes, or retry


class Experiment(BaseModel):
    """What to run. Fields not given have the defaults shown.

    Parameters
    ----------
    sentences : str
        ``quick`` or ``standard`` (each sentence with each of `tags`), ``train``, ``heldout``, or a JSON Lines file.
    limit : int
        Sentences (lines) to use; all otherwise.
    plain_repeats : int
        K, the plain clips that a tagged one is compared with. An engine that does not repeat itself speaks one more, for
        its null.
    contrast : int
        For how many sentences of each tag the tag is also put on the other places (sets only).
    dose_sentences : int
        For how many sentences the plain clips of engines with ``dose: true`` are edited by known amounts.
    timeout : float
        Seconds that an engine may take for one clip. ``null``: no limit, and the engine runs inside the worker process. That
        is also the default if one of `OWN_LIMITS` takes part.
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

    def items(self) -> list[Item]:
        """The texts, in the order of their file."""
        return load_items(self.sentences, limit=self.limit, tags=self.tags, contrast=self.contrast)


_PARTS: dict[str, type[BaseModel]] = {"engines": EngineSpec, "taggers": TaggerSpec}


def load_experiment(path: str | Path) -> Experiment:
    """Read an experiment file.

    Raises
    ------
    DataError
        Naming the file, and the line or field that is wrong.
    """
    fields, lines = read_yaml(path)
    if not isinstance(fields, dict):
        raise DataError(
            "not an experiment: the file holds no fields", path=path, remedy="see data/experiments/quickstart.yaml"
        )
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
        if "timeout" not in experiment.model_fields_set and OWN_LIMITS & {spec.name for spec in experiment.engines}:
            experiment = Experiment.model_validate({**fields, "timeout": None})
            experiment.model_fields_set.discard("timeout")  # it was not given: another engine may want another
    except ValidationError as error:
        words, location, _ = first_problem(error, "experiment")
        part = _PARTS.get(str(location[0])) if len(location) > 2 else None
        known = ", ".join(part.model_fields if part else Experiment.model_fields).replace("schema_", "schema")
        raise DataError(words, path=path, line=line_of(location, lines or {}),
                        remedy=f"fields of {location[0] if part else 'an experiment'} are: {known}") from error  # fmt: skip
    if experiment.sentences in SETS and [spec.name for spec in experiment.taggers] != [GOLD]:
        raise DataError(f"the set {experiment.sentences!r} holds one tag a clip, to test engines; taggers have nothing to do in it",
                        path=path, remedy="leave `taggers` out, or use the sentences heldout")  # fmt: skip
    for kind, specs in (("tagger", experiment.taggers), ("engine", experiment.engines)):
        titles = [spec.title for spec in specs]  # type: ignore[attr-defined]
        if len(set(titles)) < len(titles):
            raise DataError(
                f"two {kind}s have the same name in the results", path=path, remedy="give each its own label"
            )
    return experiment


def changed(
    experiment: Experiment,
    *,
    engine: str | None = None,
    voice: str | None = None,
    options: Sequence[str] = (),
    limit: int | None = None,
) -> Experiment:
    """Return the experiment with the engine, voice, options or number of sentences of the command line.

    Parameters
    ----------
    experiment : Experiment
    engine : str, optional
        Replaces all engines of the file.
    voice : str, optional
        Voice of that engine, or of the only engine of the file.
    options : sequence of str
        ``key=value``; the value is read as YAML.
    limit : int, optional

    Raises
    ------
    DataError
        If an option is not of that form, or a voice or option is given and the file has several engines.
    """
    fields = experiment.model_dump(mode="json", by_alias=True)
    if engine is not None:
        fields["engines"] = [{"name": engine}]
        if "timeout" not in experiment.model_fields_set:
            del fields["timeout"]  # that of another engine
        fields["name"] += "-" + re.sub(r"[^\w.]+", "-", engine)  # a run folder of its own
    if voice is not None or options:
        if len(fields["engines"]) != 1:
            raise DataError(f"the experiment has {len(fields['engines'])} engines; whose voice or option is meant?",
                            remedy="choose one with --engine")  # fmt: skip
        [only] = fields["engines"]
        if voice is not None:
            only["voice"] = voice
        only["options"] = {**only.get("options", {}), **dict(map(key_value, options))}
    if limit is not None:
        fields["limit"] = limit
    return validate(fields)


def data_checksums(experiment: Experiment) -> dict[str, str]:
    """Return the checksum of the file that the sentences come from."""
    path = sentences_file(experiment.sentences)
    return {relative(path): sha256(path)}
