"""Result files of validations: figures with provenance, and nothing of the recordings."""

import json

import pytest
from helpers import command

from harness.errors import DataError
from harness.experiment.result_files import load_results
from harness.paths import DATA
from harness.prosody.validation.results import load_published, load_result

EXAMPLE = DATA / "examples" / "labelled"


def test_a_result_file_holds_figures_and_provenance_but_no_recordings(tmp_path):
    path = tmp_path / "own.json"
    ask = ("validate", "own", "--folder", EXAMPLE, "--listeners", "none", "--result", path)
    assert command(*ask).returncode == 0
    assert load_result(path).set == "own" and load_result(path).provenance.packages["numpy"]
    assert "guarantee" not in path.read_text() and not {"clips", "problems", "folder"} & set(
        json.loads(path.read_text())
    )
    assert command(*ask).returncode == 2, "an existing file is kept"
    assert command(*ask, "--force").returncode == 0


def test_the_published_results_can_be_read_and_are_no_results_of_runs():
    found = load_published()
    assert found["todi"].recordings["all"] == 60 and found["emphassess"].recordings["all"] == 10
    assert not {f"validation_{name}" for name in found} & set(load_results())


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda d: d["auc"][0].update(auc=1.2), "auc.0.auc"),
        (lambda d: d["top1"][0].update(hits=11), "hits"),
        (lambda d: d.pop("provenance"), "provenance"),
    ],
)
def test_an_invalid_file_is_refused_by_name_and_field(tmp_path, change, field):
    fields = json.loads((DATA / "results" / "validation_emphassess.json").read_text())
    change(fields)
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(fields))
    with pytest.raises(DataError, match=field) as caught:
        load_result(path)
    assert caught.value.path == str(path)
