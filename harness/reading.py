"""Read YAML and JSON written by users, with errors that name the line."""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Mapping
from contextlib import suppress
from math import isfinite
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, NoReturn, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from yaml.nodes import MappingNode, Node, SequenceNode

from harness.errors import DataError

_Settings = TypeVar("_Settings", bound=BaseModel)

Location = tuple[str | int, ...]


class _Strict(yaml.SafeLoader):
    """Loads plain values, and refuses a key that occurs twice: YAML would silently drop the first."""

    def construct_object(self, node: Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep=deep)
        except ValueError as error:  # a date that does not exist
            raise yaml.constructor.ConstructorError(None, None, f"invalid value: {error}", node.start_mark) from error

    def construct_mapping(self, node: MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for name, _ in node.value if isinstance(node, MappingNode) else ():
            if name.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(name, deep=True)
            if isinstance(key, Hashable) and key in seen:
                problem = f"the key {str(key)[:40]!r} occurs twice"
                raise yaml.constructor.ConstructorError(None, None, problem, name.start_mark)
            if isinstance(key, Hashable):  # PyYAML itself refuses other keys
                seen.add(key)
        return super().construct_mapping(node, deep=deep)


def parse_yaml(text: str) -> tuple[Any, dict[Location, int]]:
    """Return a YAML document, and the line of each of its fields.

    Returns
    -------
    (value, lines)
        `lines` maps the path of a field, such as ``("engines", 0, "voice")``, to its line, counted from 1.

    Raises
    ------
    DataError
        If it is not YAML, or has a duplicate key or an impossible value; names the line.
    """
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
    """Read a YAML file; see `parse_yaml`.

    Raises
    ------
    DataError
        If `parse_yaml` raises one, or the file cannot be read or is not UTF-8; names the file.
    """
    text = _read_text(path)
    try:
        return parse_yaml(text)
    except DataError as error:
        raise error.at(path) from error


def read_settings(path: Path, model: type[_Settings], **changes: Any) -> _Settings:
    """Read a YAML file of settings and check it; `changes` override its fields.

    Raises
    ------
    DataError
        With the file and the field.
    """
    fields, lines = read_yaml(path)
    if not isinstance(fields, dict):
        raise DataError("not a mapping of settings", path=path, remedy="lines look like `steps: 1000`")
    try:
        return model.model_validate({**fields, **changes})
    except ValidationError as error:
        words, location, kind = first_problem(error, "settings")
        remedy = f"settings are: {', '.join(model.model_fields)}" if kind == "extra_forbidden" else None
        raise DataError(words, path=path, line=line_of(location, lines), remedy=remedy) from error


def key_value(text: str, types: Mapping[str, Any] | None = None) -> tuple[str, Any]:
    """Split ``key=value`` from a command line, and convert the value to the type that is declared for the key.

    Parameters
    ----------
    text : str
        Such as ``speed=1.1`` or ``voice=no``.
    types : mapping, optional
        Type of each key. A value without a known type stays text, unless it is a number that is written like this, ``true``,
        ``false``, ``null``, or a list or mapping in brackets.

    Raises
    ------
    DataError
        If `text` has another form, or the value does not have the declared type.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.isidentifier():
        raise DataError(f"not an option: {text!r}", remedy="write KEY=VALUE")
    return key, _converted(key, value, _alternatives((types or {}).get(key, Any)))


_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
_MEANINGS = {bool: "true or false", int: "a whole number", float: "a number", NoneType: "null"}


def _alternatives(kind: Any) -> tuple[Any, ...]:
    """Return the types of a union, and the values of a `Literal`."""
    if get_origin(kind) in (Union, UnionType):
        return tuple(one for part in get_args(kind) for one in _alternatives(part))
    return get_args(kind) if get_origin(kind) is Literal else (kind,)


def _converted(key: str, value: str, kinds: tuple[Any, ...]) -> Any:
    choices = {str(kind): kind for kind in kinds if isinstance(kind, (str, int))}  # of a `Literal`
    if value in choices:
        return choices[value]
    if NoneType in kinds and value in ("", "null"):
        return None
    as_written = str in kinds  # then 007 is no number
    if int in kinds and re.fullmatch(r"[+-]?[0-9]+", value) and (not as_written or str(int(value)) == value):
        return int(value)
    if float in kinds:
        with suppress(ValueError):
            if isfinite(number := float(value)) and (not as_written or str(number) == value):
                return number
    if bool in kinds and value.lower() in _WORDS:
        return _WORDS[value.lower()]
    if str in kinds or Path in kinds:
        return value
    if choices or set(kinds) <= _MEANINGS.keys():
        expected = [*map(repr, choices), *(_MEANINGS[kind] for kind in kinds if kind in _MEANINGS)]
        raise DataError(f"the option {key} must be {' or '.join(expected)}, got {value!r}")
    return _untyped(key, value)


def _untyped(key: str, value: str) -> Any:
    try:
        read = parse_yaml(value)[0]
    except DataError as error:
        if value[:1] in "[{\"'":
            raise DataError(f"the value of {key!r} is not YAML: {value!r}", remedy="put quotes around it") from error
        return value
    number = isinstance(read, (int, float)) and not isinstance(read, bool)
    meant = value[:1] in "[{\"'" or value in ("true", "false", "null") or (number and str(read) == value)
    return read if meant else value


def parse_json(text: str) -> Any:
    """Return a JSON value.

    NaN and Infinity, which Python writes but JSON forbids, are refused, and so are numbers too large for a float, such as 1e999.

    Raises
    ------
    DataError
        If it is not JSON; names the line, and the column where it is known.
    """
    try:
        return json.loads(text, parse_constant=_refuse_number, parse_float=_finite)
    except _WrongNumber as error:
        raise DataError(f"not JSON: {error} is not a finite number", line=_line_of_token(str(error), text)) from error
    except RecursionError as error:
        raise DataError("not JSON: nested too deeply") from error
    except json.JSONDecodeError as error:
        raise DataError(f"not JSON: {error.msg}", line=error.lineno, column=error.colno) from error
    except ValueError as error:
        raise DataError(f"not JSON: {error}") from error


def is_json_object(text: str | bytes) -> bool:
    """Return whether a text is a JSON object, which is no prose."""
    if text.lstrip()[:1] not in ("{", b"{"):
        return False
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def read_json(path: str | Path) -> dict:
    """Read a JSON object from a file.

    Raises
    ------
    DataError
        If the file cannot be read or holds something else; names the file.
    """
    text = _read_text(path)
    try:
        value = parse_json(text)
    except DataError as error:
        raise error.at(path) from error
    if not isinstance(value, dict):
        raise DataError("not a JSON object", path=path)
    return value


def unreadable(path: str | Path, error: Exception) -> DataError:
    """Return the error for a file that cannot be opened, or for a path that is not valid (a `ValueError`)."""
    return DataError(f"cannot be read: {getattr(error, 'strerror', None) or error}", path=path, remedy="check the path")


def first_problem(error: ValidationError, whole: str) -> tuple[str, Location, str]:
    """Return the first problem of a record that does not validate.

    Parameters
    ----------
    error : ValidationError
        All its problems.
    whole : str
        Name for the record where no single field is at fault.

    Returns
    -------
    (message, location, kind)
        A message with the name of the field; its location; and pydantic's name for the kind of problem.
    """
    problem = error.errors(include_url=False)[0]
    field = ".".join(map(str, problem["loc"])) or whole
    if problem["type"] == "missing":
        return f"field {field!r} is missing", problem["loc"], problem["type"]
    return f"field {field!r}: {problem['msg'].removeprefix('Value error, ')}", problem["loc"], problem["type"]


def line_of(location: Location, lines: Mapping[Location, int]) -> int | None:
    """Return the line of a field, or of the innermost enclosing field that has one."""
    while location and location not in lines:
        location = location[:-1]
    return lines.get(location)


def _read_text(path: str | Path) -> str:
    try:
        return Path(path).read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"not UTF-8 (byte {error.start + 1})", path=path, remedy="save the file as UTF-8") from error
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from error


class _WrongNumber(ValueError):
    """A JSON token for a number that is not finite; the message is the token."""


def _refuse_number(token: str) -> NoReturn:
    raise _WrongNumber(token)


def _finite(token: str) -> float:
    return value if isfinite(value := float(token)) else _refuse_number(token)


def _line_of_token(token: str, text: str) -> int:
    """Return the line of the first occurrence of a token that is not part of a string."""
    tokens = re.finditer(r'"(?:\\.|[^"\\])*"|[^\s\[\]{},:"]+', text)
    return text.count("\n", 0, next(found.start() for found in tokens if found.group() == token)) + 1


def _lines_of(node: Node, at: Location, lines: dict[Location, int]) -> None:
    lines[at] = node.start_mark.line + 1
    if isinstance(node, MappingNode):
        for key, value in node.value:
            if not isinstance(key.value, str):  # a list as a key, refused when it is constructed
                continue
            _lines_of(value, (*at, key.value), lines)
            lines[(*at, key.value)] = key.start_mark.line + 1
    elif isinstance(node, SequenceNode):
        for number, value in enumerate(node.value):
            _lines_of(value, (*at, number), lines)
