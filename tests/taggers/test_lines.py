"""The input of `harness tag`: ids are kept, blank lines of JSON are skipped, and JSON is never tagged as prose."""

import json

import pytest
from helpers import command

from harness.errors import DataError
from harness.records import Example, TextRecord
from harness.store import read_jsonl
from harness.taggers.lines import read_lines


def read(text, name="x.jsonl"):
    return list(read_lines(text.encode().splitlines(keepends=True), name))


@pytest.mark.parametrize(("text", "ids"), [
    ('{"id": 0, "text": "a"}\n{"id": 1, "text": "b"}', [0, 1]),
    ('{"id": "0", "text": "a"}\n{"id": -7, "text": "b"}', ["0", -7]),
    ('{"id": "007", "text": "a"}\n{"id": " x ", "text": "b"}', ["007", " x "]),
    (f'{{"id": {10**30}, "text": "a"}}\n{{"id": "false", "text": "b"}}', [10**30, "false"]),
    ('\n{"text": "a"}\n  \n\r\n{"text": "b"}\n\n', ["2", "5"]),
    ('  {"id": 1, "text": "a", "more": [0.0, null]}\t\r\n\ufeff'.replace("\ufeff", "") + '{"text": "b", "id": 2}', [1, 2]),
    ('\ufeff{"id": 1, "text": "a"}\n{"id": 2, "text": "b"}', [1, 2]),
])  # fmt: skip
@pytest.mark.parametrize("name", ["x.jsonl", "X.JSONL", "standard input", "x.txt"])
def test_ids_are_kept_and_blank_lines_skipped(text, ids, name):
    assert read(text, name) == list(zip(ids, ["a", "b"], strict=True))


@pytest.mark.parametrize("wrong", ["0.0", "false", "true", "null", '""', "[1]", "{}", "1.5", "1e3", '"\\ud800"'])
@pytest.mark.parametrize("model", [TextRecord, Example])
def test_another_id_is_refused_with_its_line(tmp_path, wrong, model):
    path = tmp_path / "x.jsonl"
    good = '{"id": 1, "text": "a", "group": "g", "split": "train"}\n'
    path.write_text(good + "\n" + good.replace('"id": 1', f'"id": {wrong}'))
    for reader in (lambda: read(path.read_text(), str(path)), lambda: read_jsonl(path, model)):
        with pytest.raises(
            DataError, match=r"x\.jsonl:3: field 'id': (expected text or a whole number, got|half of|Input should be)"
        ):
            reader()


def test_a_number_and_its_text_are_the_same_id(tmp_path):
    (tmp_path / "x.jsonl").write_text('{"id": 0, "text": "a"}\n\n{"id": "0", "text": "b"}\n')
    with pytest.raises(DataError, match=r"x\.jsonl:3: the id '0' was already used on line 1"):
        read_jsonl(tmp_path / "x.jsonl", TextRecord)


@pytest.mark.parametrize(("text", "said"), [
    ('{"path": "a.mp3", "sentence": "We pay"}', ":1: field 'text' is missing; found 'path', 'sentence'"),
    ("{}", ":1: field 'text' is missing; found no fields"),
    ('{"text": 7}', ":1: field 'text': Input should be a valid string"),
    ('{"text": null}', ":1: field 'text': Input should be a valid string"),
    ('{"id":"x","text":"We pay."},\n', ":1: not JSON: Extra data, at column 28"),
    ('{"text": "a"}\n{"text": "b"', ":2: not JSON: Expecting ',' delimiter, at column 13"),
    ('{"text": "a"}\nWe pay', ":2: not JSON: Expecting value, at column 1"),
    ('{"text": "a"}\n["b"]', ":2: expected a JSON object, got a list"),
    ('{"text": "a"}\n"b"', ":2: expected a JSON object, got a str"),
    ('{\n  "text": "a"\n}', ":1: not JSON"),
    ('[{"text": "a"},\n {"text": "b"}]', ":1: not JSON"),
    ('[\n  {"text": "a"}\n]', ":1: not JSON"),
    ('{"text": "a", "x": NaN}', ":1: not JSON: NaN is not a finite number"),
    ('{"id": 1, "text": "a"}\n{"text": "b"}', ":2: some lines have an id and others have none"),
    ('{"text": "a <loud> b"}', ":1: in the text at column 3: unknown tag <loud>"),
    ('We pay\n{"id": 2, "text": "b"}', ":2: this line is a JSON object, but the first line is plain text"),
])  # fmt: skip
def test_json_of_another_form_is_refused(text, said):
    with pytest.raises(DataError) as caught:
        read(text, "standard input")
    assert f"standard input{said}" in str(caught.value) and caught.value.remedy


def test_a_json_file_is_never_prose_and_prose_may_begin_with_a_brace():
    with pytest.raises(DataError, match=r"x\.jsonl:1: not JSON"):
        read("We pay\n")
    said = ["{laughs} We pay", "[door] We pay", "", '"We pay"', "7", "{so"]
    assert read("\n".join(said), "x.txt") == [(str(k), text) for k, text in enumerate(said, 1)]


def test_what_is_tagged_can_be_scored(tmp_path):
    gold = tmp_path / "gold.jsonl"
    rows = [{"id": 0, "text": "We <emph> pay"}, {"id": "0.0", "text": "You\nget"}, {"id": "x", "text": "Go now"}]
    gold.write_text("\n\n".join(map(json.dumps, rows)))
    done = command("tag", gold, "--tagger", "none", "--json")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert found == [{"id": 0, "text": "We pay"}, {"id": "0.0", "text": "You\nget"}, {"id": "x", "text": "Go now"}]
    (tmp_path / "pred.jsonl").write_bytes(done.stdout)
    figures = json.loads(command("score", "placement", gold, tmp_path / "pred.jsonl", "--json").stdout)
    assert figures["sentences"] == 3 and figures["text_preserved"] == 1 and figures["micro"]["support"] == 1
    assert command("tag", gold, "--tagger", "none").stdout == b"We pay\nYou get\nGo now\n"


def test_the_sentences_before_an_error_are_printed():
    done = command("tag", "--tagger", "none", stdin=b'{"text": "We pay"}\n{"sentence": "x"}\n')
    assert done.returncode == 2 and done.stdout == b"We pay\n"
    assert done.stderr.startswith(b"harness: standard input:2: field 'text' is missing; found 'sentence'")


def test_json_is_no_transcript(tmp_path):
    (tmp_path / "x.json").write_text('{"text": "We pay"}')
    done = command("align", "x.wav", tmp_path / "x.json")
    assert done.returncode == 2 and b"x.json: expected the spoken words, but this is a JSON object" in done.stderr
