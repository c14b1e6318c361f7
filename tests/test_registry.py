import sys

import pytest

from harness.engines.base import ENGINES, make_engine
from harness.errors import HarnessError, NotAvailable
from harness.registry import Registry, own_source, own_sources


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


def test_the_modules_that_a_class_imports_are_its_sources_too(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    files = {
        "voice_of_mine.py": "import numpy, harness.stats\nfrom helpers_of_mine import clip\n",
        "helpers_of_mine.py": "def clip():\n    import deep_of_mine\n",
        "deep_of_mine.py": "import voice_of_mine\n",
        "unused_of_mine.py": "",
        "pack_of_mine/__init__.py": "",
        "pack_of_mine/sub/voice.py": "from ..shared import gain\nfrom . import rates\n",
        "pack_of_mine/sub/rates.py": "this is not Python",
        "pack_of_mine/shared.py": "gain = 1",
        "harness/stats.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    def found(name):
        return {str(path.relative_to(tmp_path)) for path in own_sources(name)}

    assert found("voice_of_mine:Voice") == {"voice_of_mine.py", "helpers_of_mine.py", "deep_of_mine.py"}
    package = {"pack_of_mine/__init__.py", "pack_of_mine/shared.py", "pack_of_mine/sub/rates.py"}
    assert found("pack_of_mine.sub.voice:Voice") == package | {"pack_of_mine/sub/voice.py"}
    assert own_sources("rules") == []
