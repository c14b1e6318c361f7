import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import DataError
from harness.records import Prediction, TextRecord
from harness.store import Store, read_jsonl, write_atomic


def prediction(number, text="so <emph> it goes"):
    return Prediction(tagger="t", id=f"s{number:03d}", text=text)


@given(cut=st.integers(min_value=1, max_value=400), data=st.data())
@settings(max_examples=50)
def test_resume_after_a_torn_last_line_loses_nothing(tmp_path_factory, cut, data):
    folder = tmp_path_factory.mktemp("store")
    records = [prediction(n, data.draw(st.sampled_from(["a <emph> b", "é 😀", 'say "x"']))) for n in range(6)]
    whole, torn = folder / "whole.jsonl", folder / "torn.jsonl"
    first = Store(whole, Prediction)
    first.add(records)
    first.finish()
    torn.write_bytes(whole.read_bytes()[: -min(cut, whole.stat().st_size)])
    survivors = torn.read_bytes().count(b"\n")
    resumed = Store(torn, Prediction)
    assert len(resumed) in (survivors, survivors + 1)
    resumed.add(record for record in reversed(records) if record.key not in resumed)
    resumed.finish()
    assert torn.read_bytes() == whole.read_bytes()


def test_known_keys_are_not_added_twice(tmp_path):
    store = Store(tmp_path / "p.jsonl", Prediction)
    store.add([prediction(2), prediction(1)])
    store.add([prediction(1, "changed text"), prediction(3)])
    store.finish()
    assert [r.id for r in read_jsonl(tmp_path / "p.jsonl", Prediction)] == ["s001", "s002", "s003"]
    assert read_jsonl(tmp_path / "p.jsonl", Prediction)[0].text == "so <emph> it goes"


def test_damage_in_the_middle_is_an_error_not_a_repair(tmp_path):
    path = tmp_path / "p.jsonl"
    path.write_text(prediction(1).line() + "\n{torn\n" + prediction(2).line() + "\n")
    with pytest.raises(DataError, match=r"p\.jsonl:2: not JSON"):
        Store(path, Prediction)


GOOD = json.dumps({"id": "a", "text": "We <emph> do"}).encode()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"{", "not JSON"),
        (b"[1]", "expected a JSON object, got a list"),
        (b"\xff\xfe{}", "not UTF-8"),
        (b'{"id": "b"}', "field 'text' is missing"),
        (b'{"id": "", "text": "x"}', "field 'id'"),
        (b'{"id": "b", "text": 3}', "field 'text'"),
        (b'{"id": "b", "text": "a <loud> b"}', "column 3: unknown tag <loud>"),
        (GOOD, "the id 'a' was already used on line 1"),
    ],
)
def test_a_bad_line_is_named(tmp_path, line, message):
    path = tmp_path / "gold.jsonl"
    path.write_bytes(GOOD + b"\n" + line + b"\n")
    with pytest.raises(DataError) as caught:
        read_jsonl(path, TextRecord)
    assert str(caught.value).startswith(f"{path}:2: ")
    assert message in str(caught.value)


def test_harmless_deviations_are_accepted(tmp_path):
    path = tmp_path / "gold.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD + b"\r\n\n" + b'{"id": 7, "text": "", "note": "more fields"}')
    assert [record.id for record in read_jsonl(path, TextRecord)] == ["a", "7"]
    with pytest.raises(DataError, match="cannot be read"):
        read_jsonl(tmp_path / "nowhere.jsonl", TextRecord)


def test_an_atomic_write_keeps_the_old_file_on_failure(tmp_path):
    path = tmp_path / "m.json"
    write_atomic(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomic(path, "\ud800")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_records_can_be_replaced_by_records_computed_from_them(tmp_path):
    store = Store(tmp_path / "p.jsonl", Prediction)
    store.add(Prediction(tagger="a", id=str(n), text="old") for n in range(3))
    store.replace(record.model_copy(update={"text": "new"}) for record in store)
    assert {record.text for record in store} == {"new"} and len(store) == 3
    assert store.path.read_text().count("new") == 3
    assert [record.id for record in Store(store.path, Prediction)] == ["0", "1", "2"]
