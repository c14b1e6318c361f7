"""Write and read result files: the summary of a run with its provenance.

A run folder is large and stays on the machine that made it. Its result file is small enough to commit or send. The book quotes a
file in ``data/results/`` only if it matches the schema.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from harness.errors import DataError, HarnessError
from harness.experiment.folder import MANIFEST, SUMMARY, is_complete
from harness.experiment.joint import READINGS
from harness.experiment.spec import GOLD
from harness.paths import DATA
from harness.prosody.detectors import DETECTORS
from harness.provenance import code_digest
from harness.reading import first_problem
from harness.records import Outcome, RunManifest
from harness.store import read_json, write_json
from harness.tagged import Tag, TaggedText

FOLDER = DATA / "results"
SCHEMA = "harness.result/1"
CONTROLS = "controls"  # name of the run for chapter 10, which has its own tables
RESULT, OBEY = FOLDER / f"{CONTROLS}.json", FOLDER / "obey.json"
SMALL_HIGGS = FOLDER / "small_higgs.json"  # written by `harness higgs evaluate`
OTHERS = (
    "harness.placement_benchmark/1",
    "harness.bench/2",
    "harness.validation_result/1",
    "harness.speech_codec/1",
    "harness.small_higgs/1",
    "harness.higgs_curve/1",
)  # schemas that `harness run` does not write

ClipId = Annotated[str, Field(pattern=r"^[0-9a-f]{8,64}$")]
Share = float | None
Readings = dict[str, tuple[Share, Share, Share]]
_ROUNDING = 1e-9  # interval ends are sums, and may miss 0 and 1 by the last bit


def publish(folder: Path, target: Path = RESULT, stored: Sequence[StoredClip] = ()) -> Path:
    """Write the summary of a finished run, with its provenance, as a result file.

    Parameters
    ----------
    folder : Path
        Run folder.
    target : Path
        File to write.
    stored : sequence of StoredClip
        Result of `harness.experiment.stored_clips.store_clips`. If there are none, those of an existing file of the same run stay.

    Raises
    ------
    DataError
        If the run is not complete, or had failures.
    """
    fields = result_of(folder)
    if stored:
        fields["stored"] = [one.model_dump(mode="json", by_alias=True) for one in stored]
    elif published(folder, target) and (kept := read_json(target).get("stored")):
        fields["stored"] = kept
    write_json(target, fields)
    return target


def published(folder: Path, target: Path) -> bool:
    """Return whether a file is the result file of this finished run, so that writing it again loses nothing."""
    try:
        found = read_json(target)
        found.pop("stored", None)
        return found == result_of(folder)
    except (DataError, ValidationError, KeyError):
        return False


def result_of(folder: Path) -> dict[str, Any]:
    """Return the content of the result file of a finished run; see `publish` for the errors."""
    if not is_complete(folder):
        raise DataError("this run is not complete", path=folder, remedy="finish it with `harness run`")
    summary = read_json(folder / SUMMARY)
    if summary["failed_units"]:
        raise DataError(f"this run has {summary['failed_units']} failed sentences: {summary['failures']}", path=folder,
                        remedy="run it again; only the failed sentences are repeated")  # fmt: skip
    manifest = RunManifest.model_validate(read_json(folder / MANIFEST))
    provenance = {name: getattr(manifest, name) for name in Provenance.model_fields}
    return {"schema": SCHEMA, "code": code_digest(), "provenance": provenance, **summary}


class Provenance(BaseModel):
    """How a result was measured: the fields of the run's manifest that a result file keeps."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    created: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}")
    machine: str = Field(min_length=1, max_length=200)
    packages: dict[str, str]
    revisions: dict[str, str]
    parameters: dict[str, Any]
    counts: dict[str, int]
    git_revision: str = ""
    data: dict[str, str] = Field(default_factory=dict)

    @property
    def date(self) -> str:
        """The day, as ``2026-11-23``."""
        return self.created[:10]

    @property
    def harness(self) -> str:
        """Version and git revision of the harness that scored the run."""
        return f"{self.packages.get('prosody-harness', '')} {self.git_revision[:12]}".strip() or "unknown"


class TagRate(BaseModel):
    """Realisation of one tag; other figures are ignored. Very old files may lack the fields that have a default."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    n: int = Field(ge=0)
    hit: int = Field(ge=0)
    not_expressible: int = Field(ge=0)
    hit_rate: Share = Field(ge=0, le=1)
    low: Share = Field(ge=0, le=1)
    high: Share = Field(ge=0, le=1)
    miss: int | None = Field(None, ge=0)
    wrong_direction: int | None = Field(None, ge=0)
    leaked: int | None = Field(None, ge=0)
    unmeasurable: int | None = Field(None, ge=0)
    placebo_n: int = Field(0, ge=0)
    false_positive: Share = Field(None, ge=0, le=1)

    @property
    def adds_up(self) -> bool:
        """Whether the verdicts are all there and add up to `n`, and the hit rate follows from them."""
        others = (self.miss, self.wrong_direction, self.leaked, self.unmeasurable)
        counts = [count for count in others if count is not None]
        if len(counts) < len(others) or self.hit + sum(counts) != self.n:
            return False
        measured = self.n - counts[-1]
        if self.hit_rate is None or not measured:
            return self.hit_rate is None and not measured
        return abs(self.hit / measured - self.hit_rate) < _ROUNDING

    @model_validator(mode="after")
    def _ordered(self) -> TagRate:
        if self.hit > self.n:
            raise ValueError(f"{self.hit} hits among {self.n} tags")
        low, high = self.low or 0, 1 if self.high is None else self.high
        if self.hit_rate is not None and not low - _ROUNDING <= self.hit_rate <= high + _ROUNDING:
            raise ValueError("the rate is outside its interval")
        return self


class JointFigures(BaseModel):
    """Figures of one tagger with one engine; see `harness.experiment.joint.end_to_end`."""

    model_config = ConfigDict(extra="allow", frozen=True)

    reference: int = Field(ge=0)
    spoken: int = Field(ge=0)
    readings: Readings

    @field_validator("readings")
    @classmethod
    def _known(cls, readings: Readings) -> Readings:
        if unknown := readings.keys() - READINGS.keys():
            raise ValueError(f"unknown readings: {', '.join(sorted(unknown))}")
        if missing := READINGS.keys() - readings.keys():
            raise ValueError(f"missing readings: {', '.join(sorted(missing))}")
        for name, (value, low, high) in readings.items():
            if value is None:
                continue
            if not -1 <= value <= 1:
                raise ValueError(f"{name} must be a share between -1 and 1, got {value}")
            if low is None and high is None:  # one group of sentences has no interval
                continue
            if low is None or high is None or not low - _ROUNDING <= value <= high + _ROUNDING:
                raise ValueError(f"{name} is outside its interval")
        return readings


class EngineFigures(BaseModel):
    """Figures of one engine."""

    model_config = ConfigDict(extra="allow", frozen=True)

    per_tag: dict[Tag, TagRate]
    end_to_end: dict[str, JointFigures]
    tagger: str = GOLD


class MicroScore(BaseModel):
    """Micro-averaged placement score."""

    model_config = ConfigDict(extra="allow", frozen=True)

    f1: Share = Field(ge=0, le=1)
    f1_low: Share = Field(None, ge=0, le=1)
    f1_high: Share = Field(None, ge=0, le=1)


class TaggerFigures(BaseModel):
    """Placement scores of one tagger."""

    model_config = ConfigDict(extra="allow", frozen=True)

    micro: MicroScore


class StoredClip(BaseModel):
    """A tagged clip that is stored with a result, to be scored again; see `harness.experiment.stored_clips`.

    `audio` and `plain` are the ids of clips: the names of their files. `outcomes` are those of all tags of `text`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    engine: str
    text: str = Field(max_length=5000)
    audio: ClipId
    plain: list[ClipId] = Field(min_length=1, max_length=20)
    outcomes: list[Outcome] = Field(min_length=1, max_length=100)

    @property
    def tagged(self) -> TaggedText:
        """The text, parsed."""
        return TaggedText.parse(self.text)

    @model_validator(mode="after")
    def _whole(self) -> StoredClip:
        try:
            places = set(self.tagged.tags)
        except HarnessError as error:
            raise ValueError(error.message) from error
        if {(o.slot, o.tag) for o in self.outcomes} != places:
            raise ValueError(f"the outcomes of clip {self.audio} are not those of the tags in its text")
        for outcome in self.outcomes:
            floor = DETECTORS[outcome.tag].floor
            if outcome.threshold is not None and outcome.threshold < floor:
                raise ValueError(
                    f"the threshold of {outcome.tag.value} must be at least {floor}, got {outcome.threshold}"
                )
        return self


class ResultFile(BaseModel):
    """A summary with its provenance, and the clips that are stored with it."""

    model_config = ConfigDict(extra="allow", frozen=True, populate_by_name=True, allow_inf_nan=False)

    schema_: Literal["harness.result/1"] = Field(alias="schema")
    code: str = ""
    provenance: Provenance
    run: str
    sentences: int = Field(ge=1)
    engines: dict[str, EngineFigures] = Field(min_length=1)
    texts: int | None = Field(None, ge=1)
    taggers: dict[str, TaggerFigures] = Field(default_factory=dict)
    stored: list[StoredClip] = Field(default_factory=list, max_length=200)

    @property
    def spoken(self) -> str:
        """The sentences of the run: ``heldout``, ``standard``, ..."""
        return str(self.provenance.parameters.get("sentences", ""))


class ControlRow(BaseModel):
    """Figures of one tag in the control run; other figures are kept."""

    model_config = ConfigDict(extra="allow", frozen=True)

    n: int = Field(ge=0)
    hit: Share = Field(ge=0, le=1)
    floor: float = Field(ge=0)
    threshold_at_null: float = Field(ge=0)
    unit: Literal["JND", "s", "st"]


class ControlFile(ResultFile):
    """The result file of the control run, for chapter 10."""

    run: Literal["controls"]
    controls: dict[Tag, ControlRow] = Field(min_length=1)
    confusion: dict[Tag, dict[Tag, Share]]
    shuffled: dict[Tag, Share]
    contrastive: dict[Literal["positive", "negative"], dict[Tag, dict[str, float | None]]]
    leak: dict[str, Share | dict[Tag, Share]]
    dose: dict[str, dict[str, dict[str, Any]]]


def load_results(folder: Path = FOLDER) -> dict[str, ResultFile]:
    """Return the result files of runs by file stem, without the controls and the files in `OTHERS`.

    Raises
    ------
    DataError
        If a file does not match its schema; the message names the file and the field.
    """
    found = {}
    for path in sorted(folder.glob("*.json")):
        fields = read_json(path)
        if fields.get("schema") not in OTHERS and fields.get("run") != CONTROLS:
            found[path.stem] = validate_result(fields, path)
    return found


def load_controls(path: Path = RESULT) -> dict[str, Any]:
    """Return the fields of the control run's result file after checking its schema.

    Raises
    ------
    DataError
        See `load_results`.
    """
    fields: dict[str, Any] = read_json(path)
    validate_result(fields, path, ControlFile)
    return fields


def load_obey(path: Path = OBEY) -> dict[str, Any]:
    """Return the fields of the result file of ``data/experiments/obey.yaml`` after checking its schema.

    Raises
    ------
    DataError
        See `load_results`.
    """
    fields: dict[str, Any] = read_json(path)
    validate_result(fields, path)
    return fields


def validate_result(fields: dict[str, Any], path: Path, kind: type[ResultFile] = ResultFile) -> ResultFile:
    """Check the content of a result file against its schema; see `load_results` for the errors."""
    if fields.get("schema") != SCHEMA:
        raise DataError(f"the schema must be {SCHEMA!r}, got {fields.get('schema')!r}", path=path,
                        remedy="write it with `harness run ... --result FILE`")  # fmt: skip
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        raise DataError(first_problem(error, "file")[0], path=path,
                        remedy="write it with `harness run ... --result FILE`, and do not edit it") from error  # fmt: skip
