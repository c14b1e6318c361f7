"""What an experiment is: the fields of its YAML file, and the sentences it names."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.datasets import examples_file, sha256
from harness.errors import DataError
from harness.paths import ROOT, is_file, relative
from harness.records import TextRecord
from harness.store import read_jsonl

GOLD = "gold"  # the tagger that copies the reference


class EngineSpec(BaseModel):
    """One engine of an experiment; `options` go to the engine, `label` names it in the results."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    voice: str | None = None
    label: str = ""
    options: dict[str, Any] = Field(default_factory=dict)

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


class Experiment(BaseModel):
    """What to run. Fields not given have the defaults shown."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
    SCHEMA: ClassVar[str] = "harness.experiment/1"

    schema_: Literal["harness.experiment/1"] = Field("harness.experiment/1", alias="schema")
    name: str = Field(pattern=r"^[A-Za-z0-9][\w.-]*$")
    sentences: str = "heldout"
    limit: int | None = Field(default=None, ge=1)
    taggers: list[TaggerSpec] = Field(default_factory=lambda: [TaggerSpec(name=GOLD)], min_length=1)
    engines: list[EngineSpec] = Field(min_length=1)
    seed: int = 0
    plain_repeats: int = Field(default=3, ge=1)
    placebo: bool = True
    check_leaks: bool = True


def load_experiment(path: str | Path) -> Experiment:
    """Read an experiment file.

    Raises
    ------
    DataError
        Naming the file, and the line or field that is wrong.
    """
    try:
        fields = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", path=path) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        raise DataError(f"not YAML: {getattr(error, 'problem', None) or str(error).splitlines()[0]}", path=path,
                        line=mark.line + 1 if mark else None) from error  # fmt: skip
    if not isinstance(fields, dict):
        raise DataError(
            "not an experiment: the file holds no fields", path=path, remedy="see data/experiments/quickstart.yaml"
        )
    return validate(fields, path)


def validate(fields: dict[str, Any], path: str | Path | None = None) -> Experiment:
    """Build an `Experiment` from plain fields; see `load_experiment` for the errors."""
    for key in ("taggers", "engines"):
        if isinstance(fields.get(key), list):
            fields = {**fields, key: [{"name": item} if isinstance(item, str) else item for item in fields[key]]}
    try:
        experiment = Experiment.model_validate(fields)
    except ValidationError as error:
        problem = error.errors()[0]
        field = ".".join(map(str, problem["loc"])) or "experiment"
        raise DataError(f"field {field!r}: {problem['msg']}", path=path,
                        remedy=f"fields are: {', '.join(Experiment.model_fields)}".replace("schema_", "schema")) from error  # fmt: skip
    for kind, specs in (("tagger", experiment.taggers), ("engine", experiment.engines)):
        titles = [spec.title for spec in specs]  # type: ignore[attr-defined]
        if len(set(titles)) < len(titles):
            raise DataError(
                f"two {kind}s have the same name in the results", path=path, remedy="give each its own label"
            )
    return experiment


def data_checksums(experiment: Experiment) -> dict[str, str]:
    """Checksum of the file that the sentences come from."""
    path = sentences_file(experiment)
    return {relative(path): sha256(path)}


def sentences_file(experiment: Experiment) -> Path:
    """The JSON Lines file of an experiment's sentences; a relative path is seen from the project's root."""
    if experiment.sentences in ("train", "heldout"):
        return examples_file(experiment.sentences)  # type: ignore[arg-type]
    path = ROOT / experiment.sentences
    if not is_file(path):
        raise DataError("the experiment's sentences cannot be read: no such file", path=path,
                        remedy="`sentences` is train, heldout, or a JSON Lines file")  # fmt: skip
    return path


def load_sentences(experiment: Experiment) -> list[TextRecord]:
    """The sentences of an experiment: lines with ``id`` and ``text``."""
    records = read_jsonl(sentences_file(experiment), TextRecord)
    if not records:
        raise DataError("there are no sentences to speak", path=sentences_file(experiment))
    return records[: experiment.limit]
