"""Settings and records that strangers send: numbers that are none, or that take minutes to read."""

import re
import time

import pytest

from harness.errors import DataError
from harness.reading import parse_json, parse_yaml

SECONDS = 5  # a megabyte of base 60 takes minutes


@pytest.mark.parametrize("number", ["1" + ":1" * 300_000, "1" + ":1" * 300_000 + ".5", "0x" + "f" * 100_000, "9" * 101])
@pytest.mark.parametrize("place", ["seed: {}", "{}: 1", "[{}]"])
def test_a_number_of_yaml_is_short(number, place):
    begun = time.monotonic()
    with pytest.raises(DataError, match=rf"no value: a number of {len(number)} characters") as caught:
        parse_yaml("name: x\nmore:\n  " + place.format(number if place != "{}: 1" else f"? {number}\n  "))
    assert caught.value.line == 3 and time.monotonic() - begun < SECONDS


@pytest.mark.parametrize(
    ("text", "value"),
    [("1:30", 90), ("0x1F", 31), ("1e3", "1e3"), ("9" * 100, int("9" * 100)), ("'" + "9" * 500 + "'", "9" * 500)],
)
def test_other_values_are_read_as_before(text, value):
    assert parse_yaml(f"a: {text}")[0] == {"a": value}


@pytest.mark.parametrize("text", ["1e999", "-1e400", '{"seconds": 1E+9999}', "[NaN]", "Infinity"])
def test_a_number_of_json_is_finite(text):
    with pytest.raises(DataError, match=re.compile("is too large a number|is no number")):
        parse_json(text)
    assert parse_json("[1e300, -0.5, 3]") == [1e300, -0.5, 3]
