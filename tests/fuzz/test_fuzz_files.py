"""Files that people and programs write: each is read, or refused with an error that names it."""

import json
from functools import partial

from attack import HOSTILE, attack, mutated, read_or_refused, texts
from hypothesis import strategies as st

from harness.errors import DataError, HarnessError
from harness.experiment.spec import load_experiment
from harness.higgs.train_config import read_config
from harness.listening.answers import _read as read_answers
from harness.prosody.clip_list import AudioItem, read_manifest
from harness.publish.execute import parse_arguments
from harness.reading import key_value, read_json
from harness.records import TextRecord
from harness.store import Store, read_jsonl

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 10**20),
    st.floats(),
    texts,
    st.sampled_from(["2024-99-99", "~", "!!python/name:os.system"]),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=5,
)


@st.composite
def jsonl(draw):
    rows = []
    for number in range(draw(st.integers(0, 4))):
        row = {
            "id": draw(st.one_of(st.just(f"s{number}"), st.just("s0"), st.integers(0, 9), texts)),
            "text": draw(texts),
        }
        if draw(st.integers(0, 5)) == 0:
            row[draw(texts)] = draw(values)
        rows.append(json.dumps(row, ensure_ascii=draw(st.booleans())))
    return mutated(draw, "\n".join([*rows, ""]).encode())


@attack("JSON Lines", jsonl())
def test_jsonl(tally, folder, content):
    """Records, or an error with file and line."""
    path = folder / "lines.jsonl"
    path.write_bytes(content)
    try:
        records = read_jsonl(path, TextRecord)
    except DataError as error:
        assert error.line is not None and 1 <= error.line <= content.count(b"\n") + 1
        tally.refused(error, path)
        return
    path.write_text("".join(record.line() + "\n" for record in records))
    assert read_jsonl(path, TextRecord) == records
    tally.count("accepted")


@attack(
    "a store that was cut",
    st.lists(texts, min_size=1, max_size=5),
    st.one_of(st.integers(0, 1), st.integers(0, 300)),
    outcomes=("whole", "cut"),
)
def test_store(tally, folder, lines, cut):
    """A cut loses at most the record that it hits; adding the lost records again restores the same file."""
    path = folder / "store.jsonl"
    path.unlink(missing_ok=True)
    records = [TextRecord(id=f"s{number}", text=text.replace("<", "")) for number, text in enumerate(lines)]
    Store(path, TextRecord).add(records)
    whole = path.read_bytes()
    left = whole[: max(0, len(whole) - cut)]
    path.write_bytes(left)
    store = Store(path, TextRecord)
    kept = len(store)
    assert kept - left.count(b"\n") in (0, 1)
    assert list(store) == records[:kept]
    store.add(records)
    assert path.read_bytes() == whole
    tally.count("whole" if kept == len(records) else "cut")


@st.composite
def manifest(draw):
    csv = draw(st.booleans())
    rows = []
    for number in range(draw(st.integers(1, 3))):
        text = draw(texts) or "a"
        audio = draw(st.sampled_from(["a.wav", "../x.wav", "", "b;c.wav", "\x00.wav"]))
        if csv:
            rows.append(f'"{audio}","{text}"' if draw(st.booleans()) else f"{audio},{text}")
        else:
            plain = draw(st.lists(st.just("p.wav"), max_size=2))
            rows.append(json.dumps({"id": f"s{number}", "audio": audio, "text": text, "plain_audio": plain}))
    head = [draw(st.sampled_from(["audio,text", "text,audio", "audio,text,plain_audio", "audio"]))] if csv else []
    end = draw(st.sampled_from(["\n", "\r\n", "\r"])) if csv else "\n"
    return ".csv" if csv else ".jsonl", mutated(draw, end.join([*head, *rows, ""]).encode())


@attack("manifests of clips", manifest())
def test_manifest(tally, folder, written):
    """Rows with unique ids, or an error with file and line."""
    suffix, content = written
    rows = read_or_refused(tally, folder / f"clips{suffix}", content, partial(read_manifest, model=AudioItem))
    if rows is not None:
        assert rows and len({item.id for _, item in rows}) == len(rows)
        assert all(item.audio and item.tagged.words for _, item in rows)


EXPERIMENT = """schema: harness.experiment/1
name: quick
sentences: heldout
taggers: [gold, rules]
engines:
  - name: espeak
    voice: en-us
  - {name: espeak, label: other, options: {rate: 150}}
"""
TRAIN = """manifest: audio.jsonl
model: tiny
codec: codec
output: out
stack: native
steps: 10
learning_rate: 1.0e-3
"""


def yaml_text(base: str) -> st.SearchStrategy[bytes]:
    @st.composite
    def made(draw):
        lines = base.splitlines()
        for _ in range(draw(st.sampled_from([0, 0, 1, 1, 2]))):
            at = draw(st.integers(0, len(lines) - 1))
            name = lines[at].partition(":")[0]
            match draw(st.sampled_from(["value", "key", "double", "drop"])):
                case "value":
                    lines[at] = f"{name}: {json.dumps(draw(values), default=str)}"
                case "key":
                    lines.insert(at, f"{draw(texts)}: {draw(texts)}")
                case "double":
                    lines.append(lines[at])
                case "drop":
                    del lines[at]
                    lines = lines or [""]
        content = "\n".join(lines).encode()
        return mutated(draw, content) if draw(st.sampled_from([False, False, True])) else content

    return made()


@attack("experiments in YAML", yaml_text(EXPERIMENT))
def test_experiment(tally, folder, content):
    """An experiment, or an error that names the file."""
    experiment = read_or_refused(tally, folder / "experiment.yaml", content, load_experiment)
    assert experiment is None or (experiment.name and experiment.engines)


@attack("settings of a training", yaml_text(TRAIN))
def test_train_config(tally, folder, content):
    """Settings, or an error that names the file."""
    config = read_or_refused(tally, folder / "train.yaml", content, read_config)
    assert config is None or config.steps >= 1


@attack(
    "values of a command line",
    st.one_of(st.sampled_from(["a", "speed", "x y", ""]), texts),
    st.one_of(texts, values.map(str), values.map(json.dumps)),
)
def test_command_line(tally, folder, name, value):
    """KEY=VALUE and -p NAME VALUE: a value, or an error."""
    for read in (lambda: key_value(f"{name}={value}"), lambda: parse_arguments(["-p", name, value])):
        try:
            read()
        except HarnessError as error:
            tally.refused(error)
        else:
            tally.count("accepted")


@st.composite
def answers(draw):
    answer = {
        "trial": "t1",
        "answer": draw(st.sampled_from([0, 0, 1, 1, 2, -1])),
        "plays": 1,
        "seconds": draw(st.sampled_from([0.5, 1, 2, 3, -1, float("nan")])),
    }
    fields = {
        "schema": "harness.listening/1",
        "kit": "k",
        "listener": draw(st.sampled_from(["anna", "b-2", "c_3", "x", "a b", "../x", "x" * 50])),
        "started": "t",
        "finished": draw(st.sampled_from([None, "t"])),
        "answers": [answer],
    }
    if draw(st.integers(0, 4)) == 0:
        fields[draw(st.sampled_from([*fields, "more"]))] = draw(values)
    return mutated(draw, json.dumps(fields).encode())


@attack("answers of a listener", answers())
def test_answers(tally, folder, content):
    """Answers, or an error that names the file."""
    found = read_or_refused(tally, folder / "answers.json", content, read_answers)
    assert found is None or (found.listener not in HOSTILE and all(one.seconds >= 0 for one in found.answers))


@attack(
    "JSON",
    st.one_of(
        values.map(lambda value: json.dumps(value).encode()),
        st.dictionaries(texts, values, max_size=3).map(lambda value: json.dumps(value).encode()),
        st.binary(max_size=30),
        st.sampled_from([b'{"a": NaN}', b"\xef\xbb\xbf{}"]),
    ),
)
def test_json(tally, folder, content):
    """An object with finite numbers, or an error that names the file."""
    if (found := read_or_refused(tally, folder / "any.json", content, read_json)) is not None:
        json.dumps(found, allow_nan=False)
