import sys
from pathlib import Path

import pytest

from harness.errors import HarnessError, NotAvailable
from harness.processes.stacks import BOSON, NATIVE, PYTHON_VARIABLES, here, python_of


def test_this_environment_is_native():
    assert here() == NATIVE and python_of(NATIVE) == Path(sys.executable)


def test_the_variable_of_a_stack_chooses_its_interpreter(monkeypatch, tmp_path):
    (tmp_path / "python").touch()
    monkeypatch.setenv(PYTHON_VARIABLES[BOSON], str(tmp_path / "python"))
    assert python_of(BOSON) == tmp_path / "python"


def test_a_missing_interpreter(monkeypatch, tmp_path):
    with pytest.raises(HarnessError, match=r"no stack is called 'tf' \(choose from: native, boson\)"):
        python_of("tf")
    monkeypatch.delenv(PYTHON_VARIABLES[BOSON], raising=False)
    monkeypatch.setattr("harness.processes.stacks.ROOT", tmp_path)
    with pytest.raises(NotAvailable, match="make env"):
        python_of(BOSON)
    monkeypatch.setenv(PYTHON_VARIABLES[BOSON], str(tmp_path / "python"))
    with pytest.raises(NotAvailable, match="HARNESS_BOSON_PYTHON") as caught:
        python_of(BOSON)
    assert caught.value.path == str(tmp_path / "python")
