"""Files that people write: YAML and JSON read strictly, and what is wrong in words, with the line."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping
from math import isinf
from pathlib import Path
from typing import Any, NoReturn

import yaml
from pydantic import ValidationError
from yaml.nodes import MappingNode, Node, SequenceNode

from harness.errors import DataError

MAX_BYTES = 1 << 20  # of a YAML file: settings are a page of text
_LONGEST_NUMBER = 100  # characters: "1:1:1…" is a number to base 60, and a megabyte of it takes minutes
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
Location = tuple[str | int, ...]


class _Strict(yaml.SafeLoader):
    """Plain values only. No aliases: nine lines of them can unfold to gigabytes. No key twice: the first would be lost in silence."""

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark
            raise yaml.composer.ComposerError(
                None, None, "aliases (*name) are not read here; write the value out", mark
            )
        return super().compose_node(parent, index)

    def construct_object(self, node: Node, deep: bool = False) -> Any:
        if node.tag in _NUMBERS and len(node.value) > _LONGEST_NUMBER:
            said = f"no value: a number of {len(node.value)} characters"
            raise yaml.constructor.ConstructorError(None, None, said, node.start_mark)
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, OverflowError) as error:  # a date that does not exist, a number of ten thousand digits
            raise yaml.constructor.ConstructorError(None, None, f"no value: {error}", node.start_mark) from error

    def construct_mapping(self, node: MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for name, _ in node.value if isinstance(node, MappingNode) else ():
            key = self.construct_object(name, deep=True)
            try:
                known = key in seen
            except TypeError:  # a list, or something that holds one
                raise yaml.constructor.ConstructorError(None, None, "a key must be a word", name.start_mark) from None
            if known:
                said = f"the key {str(key)[:40]!r} stands here twice"
                raise yaml.constructor.ConstructorError(None, None, said, name.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


def parse_yaml(text: str) -> tuple[Any, dict[Location, int]]:
    """A YAML document, and the line of each field in it.

    Returns
    -------
    (value, lines)
        `lines` maps a path such as ``("engines", 0, "voice")`` to its line, counted from 1.

    Raises
    ------
    DataError
        With the line, if it is not YAML, or holds an alias, a key twice, or a value that does not exist.
    """
    if len(text) > MAX_BYTES:
        raise DataError(f"longer than {MAX_BYTES >> 20} MB, which no file of settings is")
    try:
        loader = _Strict(text)
        node = loader.get_single_node()
        if node is None:
            return None, {}
        lines: dict[Location, int] = {}
        _lines_of(node, (), lines)
        return loader.construct_document(node), lines
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise DataError(f"not YAML: the character U+{error.character:04X} is not allowed", line=line) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise DataError(f"not YAML: {reason}", line=mark.line + 1 if mark else None) from error
    except RecursionError as error:
        raise DataError("not YAML: nested too deeply") from error


def read_yaml(path: str | Path) -> tuple[Any, dict[Location, int]]:
    """A YAML file; see `parse_yaml`. Errors name it.

    Raises
    ------
    DataError
        Also if it cannot be read, or is not UTF-8.
    """
    try:
        content = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from error
    try:
        return parse_yaml(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise DataError(f"not UTF-8 (byte {error.start + 1})", path=path, remedy="save the file as UTF-8") from error
    except DataError as error:
        raise error.at(path) from error


def key_value(text: str) -> tuple[str, Any]:
    """``key=value`` as a command line gives it; the value is read as YAML: ``speed=1.1``, ``voice=joe``.

    Raises
    ------
    DataError
        If it is not of that form.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.isidentifier():
        raise DataError(f"not an option: {text!r}", remedy="write KEY=VALUE")
    try:
        return key, parse_yaml(value)[0]
    except DataError as error:
        raise DataError(f"the value of {key!r} is not YAML: {value!r}", remedy="put quotes around it") from error


def parse_json(text: str) -> Any:
    """A JSON value, strictly: no NaN, no infinity.

    Raises
    ------
    DataError
        In words, if it is none.
    """
    try:
        return json.loads(text, parse_constant=_not_a_number, parse_float=_finite)
    except RecursionError as error:
        raise DataError("not JSON: nested too deeply") from error
    except json.JSONDecodeError as error:
        raise DataError(f"not JSON: {error.msg}", line=error.lineno, column=error.colno) from error
    except ValueError as error:  # a number of ten thousand digits
        raise DataError(f"not JSON: {str(error).split(';')[0]}") from error


def read_json(path: str | Path) -> dict:
    """A JSON object from a file.

    Raises
    ------
    DataError
        Naming the file, if it cannot be read or holds something else.
    """
    try:
        content = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from error
    try:
        value = parse_json(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise DataError(f"not UTF-8 (byte {error.start + 1})", path=path) from error
    except DataError as error:
        raise error.at(path) from error
    if not isinstance(value, dict):
        raise DataError("not a JSON object", path=path)
    return value


def unreadable(path: str | Path, error: Exception) -> DataError:
    """The error for a file that cannot be opened; a name may also be one that no file can have."""
    return DataError(f"cannot be read: {getattr(error, 'strerror', None) or error}", path=path, remedy="check the path")


def first_problem(error: ValidationError, whole: str) -> tuple[str, Location, str]:
    """The first thing that is wrong with a record.

    Parameters
    ----------
    error : ValidationError
    whole : str
        What to call it where no single field is at fault.

    Returns
    -------
    (words, location, kind)
        In words with the field; where; and pydantic's name of the problem.
    """
    problem = error.errors(include_url=False)[0]
    field = ".".join(map(str, problem["loc"])) or whole
    if problem["type"] == "missing":
        return f"field {field!r} is missing", problem["loc"], problem["type"]
    return f"field {field!r}: {problem['msg'].removeprefix('Value error, ')}", problem["loc"], problem["type"]


def line_of(location: Location, lines: Mapping[Location, int]) -> int | None:
    """The line of a field, or of the nearest thing around it that has one."""
    while location and location not in lines:
        location = location[:-1]
    return lines.get(location)


def _not_a_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number in JSON")


def _finite(text: str) -> float:
    value = float(text)
    if isinf(value):  # 1e999
        raise ValueError(f"{text[:40]} is too large a number")
    return value


def _lines_of(node: Node, at: Location, lines: dict[Location, int]) -> None:
    lines[at] = node.start_mark.line + 1
    if isinstance(node, MappingNode):
        for key, value in node.value:
            if not isinstance(key.value, str):  # a key that is a list, which is refused when it is read
                continue
            _lines_of(value, (*at, key.value), lines)
            lines[(*at, key.value)] = key.start_mark.line + 1
    elif isinstance(node, SequenceNode):
        for number, value in enumerate(node.value):
            _lines_of(value, (*at, number), lines)
