"""`--option KEY=VALUE` keeps its text, or becomes the type that the engine declares, or is refused."""

from pathlib import Path
from typing import Any, Literal, Optional

import pytest
from helpers import command, small

from harness.engines.base import ENGINES, make_engine
from harness.errors import DataError, HarnessError
from harness.experiment.spec import changed
from harness.publish.execute import parse_arguments
from harness.reading import key_value


@pytest.mark.parametrize(("value", "kind", "expected"), [
    *((text, str, text) for text in ("no", "007", "1.1", "null", "", "~", "2024-01-01", "a: b", "a #b", "[x", '"q"', "on")),
    *((text, str | None, text) for text in ("no", "007", "off", "1e3")),
    ("null", str | None, None), ("", Optional[str], None), ("joe", Optional[str], "joe"),  # noqa: UP045
    ("007", int, 7), ("-3", int, -3), ("50", int | None, 50), ("null", int | None, None),
    ("1", float, 1.0), ("1e3", float, 1000.0), ("0.80", float, 0.8), ("null", float | None, None),
    ("no", bool, False), ("TRUE", bool, True), ("0", bool, False), ("on", bool, True),
    ("007", int | str, "007"), ("7", int | str, 7), ("1.50", float | str, "1.50"), ("1.5", float | str, 1.5),
    ("a/b", Path, "a/b"), ("no", str | Path | None, "no"), ("fast", Literal["fast", "slow"], "fast"), ("2", Literal[1, 2], 2),
    ("no", Any, "no"), ("007", Any, "007"), ("1.1", Any, 1.1), ("7", Any, 7), ("true", Any, True), ("null", Any, None),
    ("2024-01-01", Any, "2024-01-01"), ("a: b", Any, "a: b"), ("a #b", Any, "a #b"), ("[1, 2]", Any, [1, 2]),
    ("{a: 1}", dict[str, int], {"a": 1}), ("[1, 2]", list[int], [1, 2]), ("'7'", Any, "7"), ("0x10", Any, "0x10"),
])  # fmt: skip
def test_a_value_becomes_the_declared_type(value, kind, expected):
    found = key_value(f"speed={value}", {"speed": kind})
    assert found == ("speed", expected) and type(found[1]) is type(expected)


@pytest.mark.parametrize(("value", "kind", "said"), [
    ("fast", float, "the option speed must be a number, got 'fast'"),
    ("nan", float, "must be a number"), ("1e999", float, "must be a number"), ("", int, "must be a whole number"),
    ("1.5", int, "must be a whole number, got '1.5'"), ("1_000", int, "must be a whole number"),
    ("no", int | None, "must be a whole number or null"), ("maybe", bool, "must be true or false, got 'maybe'"),
    ("quick", Literal["fast", "slow"], "must be 'fast' or 'slow', got 'quick'"), ("[", Any, "put quotes around it"),
])  # fmt: skip
def test_another_value_is_refused(value, kind, said):
    with pytest.raises(DataError) as caught:
        key_value(f"speed={value}", {"speed": kind})
    assert said in str(caught.value)


def test_each_engine_declares_its_options():
    wanted = {"espeak": {"voice": str, "rate": int}, "piper": {"voice": str}, "hibari": {"speed": float},
              "higgs_native": {"temperature": float, "top_k": int | None, "reference_audio": str | None},
              "higgs_boson": {"timeout": float, "top_k": int | None},
              "openai_speech": {"voice": str | None, "stream": bool, "model": str, "retries": int}}  # fmt: skip
    for name, types in wanted.items():
        assert types.items() <= ENGINES.option_types(name).items(), name
    assert ENGINES.option_types("no.module:Engine") == {}


@pytest.mark.parametrize("voice", ["no", "007", "null", "off"])
def test_a_voice_with_such_a_name_is_looked_for(voice, tmp_path):
    """It was False, 7 or None, and the default voice spoke."""
    for engine in ("espeak", "piper", "hibari"):
        done = command("say", "hello", "--engine", engine, "--option", f"voice={voice}", "-o", tmp_path / "x.wav")
        assert done.returncode == 2 and repr(voice).encode() in done.stderr, done.stderr
    assert changed(small(), options=[f"voice={voice}"]).engines[0].options == {"voice": voice}
    made = changed(
        small(), engine="openai_speech", options=[f"model={voice}", "stream=no", "retries=007", "key_env=null"]
    )
    assert made.engines[0].options == {"model": voice, "stream": False, "retries": 7, "key_env": None}


def test_an_option_of_another_type_is_one_clear_line(tmp_path):
    done = command("say", "hello", "--option", "rate=fast", "-o", tmp_path / "x.wav")
    assert done.returncode == 2 and done.stderr == b"harness: the option rate must be a whole number, got 'fast'\n"
    for options in ({"voice": False}, {"voice": 7}, {"rate": "fast"}):  # as YAML would read them in an experiment
        with pytest.raises(HarnessError, match=r"the option (voice|rate) cannot be"):
            make_engine("espeak", **options)


def test_a_text_parameter_of_a_chapter_keeps_its_text():
    given = ["-p", "voice", "no", "-p", "seed", "007", "-p", "model", "007"]
    assert parse_arguments(given, ["voice", "model"]) == {"voice": "no", "seed": 7, "model": "007"}
