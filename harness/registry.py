"""Taggers and engines by name: built in, from installed packages, or written by the user ("package.module:Class")."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import partial
from importlib import import_module
from importlib.metadata import entry_points
from operator import attrgetter
from pathlib import Path
from traceback import extract_tb
from typing import Any, Generic, TypeVar, get_type_hints

from harness.errors import HarnessError

T = TypeVar("T")
F = TypeVar("F")


@dataclass(frozen=True)
class Requirements:
    """What an implementation needs in order to run.

    Parameters
    ----------
    packages : tuple of str
        Import names of Python packages.
    key : str, optional
        Environment variable of the API key.
    network, gpu, weights : str, optional
        Description of what is needed and where it comes from; empty if nothing is.
    check : callable, optional
        Function that returns descriptions of what else is missing.
    """

    packages: tuple[str, ...] = ()
    key: str = ""
    network: str = ""
    gpu: str = ""
    weights: str = ""
    check: Callable[[], list[str]] | None = None

    def missing(self) -> list[str]:
        """Return what is missing on this machine: packages, the key, and what `check` finds."""
        lacks = [f"package {name}" for name in self.packages if importlib.util.find_spec(name) is None]
        if self.key and not os.environ.get(self.key):
            lacks.append(f"environment variable {self.key}")
        return lacks + (self.check() if self.check else [])


@dataclass
class Registry(Generic[T]):
    """Implementations by name: built in (imported at first use), registered, or from installed packages.

    Parameters
    ----------
    kind : str
        Kind of implementation, for messages: "tagger".
    entry_points : str
        Entry point group of outside packages.
    builtin : mapping of str to str
        "module:attribute" of each built-in implementation.
    wrappers : collection of str
        Names of built-in implementations that wrap another: "obey:piper" is `obey` around `piper`. Options go to the one inside.
    """

    kind: str
    entry_points: str
    builtin: Mapping[str, str]
    wrappers: Collection[str] = ()
    registered: dict[str, Callable[..., T]] = field(default_factory=dict)

    def register(self, name: str) -> Callable[[F], F]:
        """Return a class decorator that registers an implementation as `name`."""

        def keep(factory: F) -> F:
            self.registered[name] = factory  # type: ignore[assignment]
            return factory

        return keep

    def names(self) -> list[str]:
        """Return all known names, sorted."""
        outside = (point.name for point in entry_points(group=self.entry_points))
        return sorted({*self.builtin, *self.registered, *outside})

    def find(self, name: str) -> Callable[..., T]:
        """Return the class registered as `name`, or the one that "package.module:Attribute" names.

        Raises
        ------
        HarnessError
            If there is none, a package that it needs is not installed, or its module raises an error.
        """
        if inside := self.inside(name):
            self.find(inside)
            return partial(self.find(name.partition(":")[0]), inside)
        if name not in self.registered:
            try:
                if name in self.builtin:
                    module, attribute = self.builtin[name].split(":")
                    self.registered[name] = getattr(import_module(module), attribute)
                for point in entry_points(group=self.entry_points, name=name):
                    self.registered[name] = point.load()
            except ImportError as error:
                raise HarnessError(f"the {self.kind} {name!r} needs the package {error.name!r}") from error
        if name not in self.registered and ":" in name:
            return self._import(name)
        if name not in self.registered:
            raise HarnessError(f"no {self.kind} is called {name!r}", remedy=f"choose one of: {', '.join(self.names())}")
        return self.registered[name]

    def inside(self, name: str) -> str:
        """Return the name of the implementation that a wrapper is put around: "piper" for "obey:piper", and "" for "piper"."""
        wrapper, _, inside = name.partition(":")
        return inside if wrapper in self.wrappers else ""

    def _import(self, name: str) -> Callable[..., T]:
        """Return an attribute of a module on Python's path."""
        module, _, attribute = name.partition(":")
        try:
            imported = import_module(module)
            if attribute and not hasattr(imported, attribute.partition(".")[0]):
                near = get_close_matches(attribute, vars(imported), n=1)
                raise HarnessError(f"there is no {self.kind} {name!r}: the module has no attribute {attribute!r}",
                                   remedy=f"did you mean {module}:{near[0]}?" if near else "name one of its classes")  # fmt: skip
            found = attrgetter(attribute)(imported)
        except HarnessError:
            raise
        except Exception as error:  # the module may raise anything
            raise HarnessError(f"the {self.kind} {name!r} cannot be imported: {type(error).__name__}: {error}",
                               remedy='write "package.module:Attribute", and put the folder that holds the package '
                                      "on PYTHONPATH") from error  # fmt: skip
        if not callable(found):
            raise HarnessError(f"the {self.kind} {name!r} is {found!r}, which cannot be called",
                               remedy="name a class, or a function that returns an instance") from None  # fmt: skip
        return found

    def check(self, name: str, options: Mapping[str, Any]) -> None:
        """Check that an implementation takes these options, without building it: some taggers train when they are built.

        Raises
        ------
        HarnessError
            As `find`, or if an option does not fit.
        """
        if inside := self.inside(name):
            return self.check(inside, options)
        try:
            inspect.signature(self.find(name)).bind(**options)
        except (TypeError, ValueError) as error:
            raise self._unfit(name, error) from error

    def option_types(self, name: str) -> dict[str, Any]:
        """Return the types that an implementation declares for its options: annotations, or else types of defaults.

        A class that takes ``**options`` names the class of these as ``Options``. If the implementation cannot be imported, there
        are no types, and `make` raises the error.
        """
        if inside := self.inside(name):
            return self.option_types(inside)
        try:
            factory: Any = self.find(name)
        except HarnessError:
            return {}
        types: dict[str, Any] = {}
        for owner in filter(None, (getattr(factory, "Options", None), factory)):
            with suppress(ValueError):  # some classes of extension modules have no signature
                for option in inspect.signature(owner).parameters.values():
                    if option.default not in (inspect.Parameter.empty, None):
                        types[option.name] = type(option.default)
            with suppress(Exception):  # an annotation may name what only a type checker imports
                types.update(get_type_hints(owner.__init__ if inspect.isclass(owner) else owner))
        return types

    def make(self, name: str, **options: Any) -> T:
        """Build the implementation called `name` with `options`.

        Raises
        ------
        HarnessError
            As `find`, or if an option does not fit.
        """
        factory = self.find(name)
        try:
            return factory(**options)
        except (TypeError, ValueError, AttributeError) as error:
            raise self._unfit(name, error) from error
        except HarnessError:
            raise
        except Exception as error:  # a user's class may raise anything
            raise HarnessError(f"the {self.kind} {name!r} cannot be made: {type(error).__name__}: {error}") from error

    def _unfit(self, name: str, error: Exception) -> HarnessError:
        try:
            taken = list(inspect.signature(self.find(name)).parameters)
        except ValueError:  # some classes of extension modules have no signature
            taken = []
        return HarnessError(f"the {self.kind} {name!r} does not take these options: {error}",
                            remedy=f"its options: {', '.join(taken) or 'see its documentation'}")  # fmt: skip


def own_source(name: str) -> Path | None:
    """Return the file of a name of the form ``package.module:Class``, or None if the name has another form or no file."""
    module, colon, _ = name.partition(":")
    try:
        found = importlib.util.find_spec(module) if colon else None
    except Exception:  # looking for a module runs its packages; `Registry.make` reports their errors
        return None
    return Path(found.origin) if found and found.origin and Path(found.origin).is_file() else None


def own_sources(name: str) -> list[Path]:
    """Return the file of ``package.module:Class`` and those of the user's modules that it imports, directly or not; sorted.

    The user's modules are those in the folder of the class's module, or of its outermost package. In ``site-packages``, only that
    package counts. The files are read, not run.
    """
    source = own_source(name)
    if source is None:
        return []
    module = name.partition(":")[0]
    depth = module.count(".") + (source.name == "__init__.py")
    folder, own = source.parents[depth], module.partition(".")[0]
    installed = folder.name in ("site-packages", "dist-packages")
    found: set[Path] = set()
    pending = [module]
    while pending:
        parts = pending.pop().split(".")
        if parts[0] != own and (installed or parts[0] == "harness"):
            continue
        for end in range(1, len(parts) + 1):  # importing a module runs the packages around it
            stem = folder.joinpath(*parts[:end])
            for path, package in ((stem / "__init__.py", parts[:end]), (stem.with_suffix(".py"), parts[: end - 1])):
                if path.is_file() and path not in found:
                    found.add(path)
                    pending += _imported(path, package)
    return sorted(found)


def _imported(path: Path, package: list[str]) -> Iterator[str]:
    """Yield the absolute names that a file may import; "a.b" in `from a import b` may also be a function of a."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):  # the import will report it
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = (
                [*package[: len(package) + 1 - node.level], *filter(None, [node.module])]
                if node.level
                else [node.module or ""]
            )
            yield from (".".join([*base, alias.name]) for alias in node.names)


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn any error that a plug-in raises into a `HarnessError` that names the line.

    Parameters
    ----------
    what : str
        Name of the plug-in in messages, such as ``the tagger 'mine:Tagger'``.
    """
    try:
        yield
    except HarnessError:
        raise
    except Exception as error:  # a plug-in may raise anything
        frame = extract_tb(error.__traceback__)[-1]
        raise HarnessError(
            f"{what} failed: {type(error).__name__}: {error}", remedy=f"in {frame.filename}, line {frame.lineno}"
        ) from error
