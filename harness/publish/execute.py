"""Run notebooks with Papermill; after a failure, the last good page remains in place."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import DataError, HarnessError
from harness.paths import BUILD, ROOT, relative
from harness.publish.parameters import ParameterError, check_values, declared, notebook_path, profile_values
from harness.publish.run import results_folder
from harness.reading import parse_yaml

REPORTS = BUILD / "reports"  # notebooks that failed, with their outputs up to the error


class ChapterFailed(HarnessError):
    """A notebook raised an error."""

    exit_code = 1


def execute(
    chapter: str,
    values: Mapping[str, Any],
    output: Path | None = None,
    *,
    profile: str = "ci",
    progress: bool = False,
) -> tuple[Path, float]:
    """Run one chapter.

    Parameters
    ----------
    chapter : str
        ``07`` or ``07_tag_placement``.
    values : mapping
        Parameters that differ from the profile's.
    output : Path, optional
        Path of the executed notebook; by default in the results folder of the run.
    profile : {"ci", "full"}
        Parameter file whose values apply where `values` has none.
    progress : bool
        Show Papermill's progress bar.

    Returns
    -------
    (path, seconds)
        The executed notebook, and how long it ran.

    Raises
    ------
    ParameterError
        Before anything runs, if a value does not fit.
    ChapterFailed
        If a cell raised: `output` is left as it was, and the message names the report.
    """
    import nbformat
    import papermill
    from papermill.exceptions import PapermillExecutionError

    source = notebook_path(chapter)
    parameters = check_values(declared(source), {**profile_values(profile), **values}, source.stem)
    output = output or results_folder(source.stem, parameters) / source.name
    output.parent.mkdir(parents=True, exist_ok=True)
    REPORTS.mkdir(parents=True, exist_ok=True)
    report = REPORTS / source.name
    kernel = nbformat.read(source, as_version=4).metadata.kernelspec.name
    _check_kernel(kernel)
    begun = time.monotonic()
    try:
        papermill.execute_notebook(
            str(source), str(report), parameters=parameters, cwd=str(ROOT), progress_bar=progress,
            log_output=False, request_save_on_cell_execute=False, extra_arguments=["--IPKernelApp.log_level=50"],
        )  # fmt: skip
    except PapermillExecutionError as error:
        raise ChapterFailed(
            f"cell {error.exec_count} failed: {error.ename}: {error.evalue.strip().splitlines()[0] if error.evalue else ''}",
            path=relative(source), remedy=f"the page up to there: {relative(report)}",
        ) from error  # fmt: skip
    report.replace(output)
    return output, time.monotonic() - begun


def parse_arguments(arguments: Sequence[str], texts: Collection[str] = ()) -> dict[str, Any]:
    """Read ``-p NAME VALUE`` triples as papermill does: values are YAML, so ``3`` is a number and ``true`` a boolean.

    The values of the parameters `texts` stay as they are: a voice may be called ``no`` or ``007``.

    Raises
    ------
    ParameterError
        If the arguments are anything else.
    """
    values: dict[str, Any] = {}
    rest = list(arguments)
    while rest:
        if rest[0] not in ("-p", "--parameters") or len(rest) < 3:
            raise ParameterError(f"not understood: {' '.join(rest)!r}", remedy="give parameters as: -p NAME VALUE")
        try:
            is_text = rest[1] in texts or not rest[2].strip()
            values[rest[1]] = rest[2] if is_text else parse_yaml(rest[2])[0]
        except DataError as error:
            raise ParameterError(f"parameter {rest[1]!r}: the value {rest[2]!r} cannot be read") from error
        rest = rest[3:]
    return values


def _check_kernel(name: str) -> None:
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    try:
        KernelSpecManager().get_kernel_spec(name)
    except NoSuchKernel as error:
        raise HarnessError(f"the Jupyter kernel {name!r} is not registered", remedy="run: make env") from error
