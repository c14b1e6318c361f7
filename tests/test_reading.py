"""YAML and JSON that people write: accidents are refused with their line, and ordinary YAML is read as usual."""

import pytest

from harness.errors import DataError
from harness.reading import key_value, parse_json, parse_yaml, read_json, read_yaml


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: 1\nb:\n  c: 2\n  c: 3\n", 4, "the key 'c' occurs twice"),
        ("a: 1\nday: 2024-99-99\n", 2, "invalid value: month must be in 1..12"),
        ("a: 1\n[x]: 2\n", 2, "found unhashable key"),
        ("a: 1\nb: [2\n", 3, "expected ',' or ']'"),
        ("a: 1\nb: \x00\n", 2, "the character U+0000 is not allowed"),
        ("a: 1\nb: !!python/name:os.system x\n", 2, "could not determine a constructor"),
        ("a: &a [*a]\n", None, "nested too deeply"),
    ],
)
def test_yaml_that_is_wrong_is_named_with_its_line(tmp_path, text, line, message):
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        read_yaml(path)
    assert message in str(caught.value) and caught.value.line == line and caught.value.path == str(path)


def test_yaml_is_read_with_the_line_of_each_field():
    value, lines = parse_yaml("base: &base {voice: joe, speed: 1}\nengines:\n- <<: *base\n  speed: 2\n")
    assert value["engines"] == [{"voice": "joe", "speed": 2}]
    assert lines[("engines",)] == 2 and lines[("engines", 0, "speed")] == 4
    assert parse_yaml("") == (None, {})


def test_an_option_of_a_command_is_a_key_and_a_yaml_value():
    assert key_value("speed=1.1") == ("speed", 1.1) and key_value("voice=a=b") == ("voice", "a=b")
    for wrong, message in (("speed", "write KEY=VALUE"), ("x y=1", "write KEY=VALUE"), ("a=[", "put quotes around it")):
        with pytest.raises(DataError, match=message):
            key_value(wrong)


@pytest.mark.parametrize("token", ["NaN", "Infinity", "-Infinity", "1e999", "-1.5E400"])
def test_json_numbers_must_be_finite(token):
    with pytest.raises(DataError, match=rf"not JSON: {token} is not a finite number") as caught:
        parse_json(f'{{"note": "{token} \\" {token}",\n "large": 1e300,\n "seconds":[0, {token}]}}')
    assert caught.value.line == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [(b'{"a": ', "not JSON"), (b"[1]", "not a JSON object"), (b"\xff{}", "not UTF-8"), (None, "cannot be read")],
)
def test_a_json_file_that_is_wrong_is_named(tmp_path, content, message):
    path = tmp_path / "x.json"
    if content is not None:
        path.write_bytes(content)
    for read in (read_json,) if content else (read_json, read_yaml):
        with pytest.raises(DataError, match=message) as caught:
            read(path)
        assert caught.value.path == str(path)
