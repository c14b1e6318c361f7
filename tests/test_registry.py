import sys

import pytest

from harness.engines.base import ENGINES, make_engine
from harness.errors import HarnessError, NotAvailable
from harness.registry import Registry, own_source


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A package on Python's path, with modules that cannot be used."""
    package = tmp_path / "own_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "parrot.py").write_text("class Parrot:\n    def __init__(self, loud=1): self.loud = loud\nNUMBER = 3\n")
    (package / "broken.py").write_text("1 / 0\n")
    (package / "lacking.py").write_text("import no_such_package_at_all\n")
    (package / "refusing.py").write_text("from harness.errors import NotAvailable\nraise NotAvailable('no weights')\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in [name for name in sys.modules if name.startswith("own_package")]:
        del sys.modules[name]


def test_an_implementation_is_named_by_its_module(own):
    names = ENGINES.names()
    assert make_engine("own_package.parrot:Parrot", loud=5).loud == 5
    assert ENGINES.names() == names  # used, not registered
    with pytest.raises(HarnessError, match="does not take these options"):
        make_engine("own_package.parrot:Parrot", colour=1)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("own_package.parrot:Cockatoo", "has no attribute 'Cockatoo'"),
        ("own_package.parrot:NUMBER", "is 3, which cannot be called"),
        ("own_package.broken:X", "ZeroDivisionError: division by zero"),
        ("own_package.lacking:X", "No module named 'no_such_package_at_all'"),
        ("own_package.absent:X", "No module named 'own_package.absent'"),
        ("own_package.parrot:", "cannot be imported"),
        (":Parrot", "cannot be imported"),
        (".parrot:Parrot", "cannot be imported"),
        ("a:b:c", "cannot be imported"),
        ("C:\\engines\\parrot.py", "cannot be imported"),
    ],
)
def test_the_reason_of_a_failed_import_is_given(own, name, why):
    with pytest.raises(HarnessError) as caught:
        ENGINES.find(name)
    assert why in str(caught.value) and repr(name) in str(caught.value)


def test_its_own_errors_are_kept(own):
    with pytest.raises(NotAvailable, match="no weights"):
        ENGINES.find("own_package.refusing:X")


def test_plain_names_are_never_imported(own):
    with pytest.raises(HarnessError, match="no engine is called 'own_package'"):
        ENGINES.find("own_package")


def test_registered_names_come_first(own):
    registry = Registry("thing", "harness.nothing", {})
    registry.register("own_package.parrot:Parrot")(dict)
    assert registry.find("own_package.parrot:Parrot") is dict


def test_the_file_of_a_class(own):
    assert own_source("own_package.parrot:Parrot").name == "parrot.py"
    assert own_source("own_package.broken.tagger:Tagger") is None  # its package fails when it is looked for
    assert own_source("rules") is own_source("nowhere.at_all:Tagger") is None
