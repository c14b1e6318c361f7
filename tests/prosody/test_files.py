"""Clips made elsewhere: manifests, thresholds, and the separation of paired and unpaired clips."""

import codecs
import json
import os
import re
import signal

import numpy as np
import pytest
from helpers import say
from made_features import JFK, RECORDINGS, labelled, real_speech

from harness.audio import Audio, read_audio, write_wav
from harness.datasets import locate
from harness.errors import DataError, HarnessError
from harness.prosody import clip_scores as files
from harness.prosody.align import UNFIT
from harness.prosody.clip_list import AudioItem, ClipItem, read_manifest
from harness.prosody.clip_scores import CALIBRATION, MANIFEST, score_manifest
from harness.prosody.detectors import DETECTORS, by_cue
from harness.prosody.null import MIN_DIFFERENCES, NOT_APPLICABLE, NULL, TOO_FEW, half
from harness.records import Verdict, digest
from harness.tagged import PAUSES, TAGS, Tag, TaggedText

pytest.importorskip("pocketsphinx")
pytest.importorskip("espeakng_loader")

PLAIN = "We asked every customer about it and they agreed"
TAGGED = "We asked <pause_long> every customer <pitch_high> about it and they agreed"


def read_csv(folder, content, model=AudioItem):
    path = folder / "m.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_manifest(path, model)


def write_jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Return a folder with a tagged clip, and plain clips that differ only in noise."""
    folder = tmp_path_factory.mktemp("clips")
    for name, text in (("tagged", TAGGED), ("plain", PLAIN)):
        audio = say(TaggedText.parse(text))
        write_wav(folder / f"{name}.wav", audio)
    for number in range(4):
        noise = np.random.default_rng(number).normal(0, 1e-3, len(audio.samples)).astype(np.float32)
        write_wav(folder / f"p{number}.wav", Audio(audio.samples + noise, audio.sample_rate))
    return folder


def test_csv_gives_what_json_lines_give(tmp_path):
    rows = [
        {"id": "a", "audio": "a.wav", "text": 'Well, <emph> "yes"', "plain_audio": ["p.wav", "q r.wav"]},
        {"id": "b", "audio": "/abs/b.wav", "text": "Żółw <pause_long> naïve", "plain_audio": []},
    ]
    lines = write_jsonl(tmp_path / "m.jsonl", rows)
    content = (
        "plain_audio,text,id,audio\r\n"
        'p.wav; q r.wav ;,"Well, <emph> ""yes""",a,a.wav\r\n'
        "\r\n"
        ",Żółw <pause_long> naïve,b,/abs/b.wav"
    )
    expected = [item for _, item in read_manifest(lines, AudioItem)]
    for prefix in (b"", codecs.BOM_UTF8):
        for end in ("\r\n", "\n", "\r"):
            found = read_csv(tmp_path, prefix + content.replace("\r\n", end).encode())
            assert [item for _, item in found] == expected
            assert [line for line, _ in found] == [2, 4]


def test_the_line_number_is_the_id_if_there_is_none(tmp_path):
    found = read_csv(tmp_path, 'audio,text,plain_audio\na.wav,"two\nlines",\nb.wav,one,\n')
    assert [(line, item.id) for line, item in found] == [(2, "000002"), (4, "000004")]
    assert found[0][1].tagged.words == ("two", "lines")
    found = read_manifest(write_jsonl(tmp_path / "m.jsonl", [{"audio": "a.wav", "text": "one"}]), AudioItem)
    assert found[0][1].id == "000001"


HEADER = "audio,text,plain_audio\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("audio,plain_audio\na.wav,x\n", r"m\.csv:1: the column 'text' is missing \(expected: the header audio,text"),
        ("audio,text,plain_audio,mood\n", r"m\.csv:1: unknown column 'mood' \("),
        ("audio;text;plain_audio\n", r"m\.csv:1: unknown column 'audio;text;plain_audio' .*by commas"),
        ("audio,text,plain_audio,\n", r"m\.csv:1: column 4 of the header has no name"),
        ("audio,text,plain_audio,text\n", r"m\.csv:1: the column 'text' occurs twice"),
        (HEADER + "a.wav,x,\nb.wav,Well, yes,\n", r"m\.csv:3: 4 fields, but the header has 3 \(put .* in quotes"),
        (HEADER + "a.wav,x\n", r"m\.csv:2: 2 fields"),
        (HEADER + "a.wav,We <loud> go,\n", r"m\.csv:2: in the text at column 4: unknown tag <loud> \("),
        (HEADER + 'a.wav,"We\n <loud>",\n', r"m\.csv:2: in the text at line 2, column 2: unknown tag <loud>"),
        (
            HEADER + "a.wav,We <emph > go,\n",
            r"m\.csv:2: in the text at column 4: unknown tag <emph > \(did you mean <emph>",
        ),
        (HEADER + "a.wav, ,\n", r"m\.csv:2: the text is empty.*\("),
        (HEADER + "a.wav,<emph>,\n", r"m\.csv:2: the text is empty"),
        (HEADER + ",x,\n", r"m\.csv:2: the field 'audio' is empty \("),
        ("id," + HEADER + "s,a.wav,x,\n\ns,b.wav,y,\n", r"m\.csv:4: the id 's' was already used on line 2 \("),
        ("id," + HEADER + "000003,a.wav,x,\n,b.wav,y,\n", r"m\.csv:3: the id '000003' was already used"),
        (HEADER, r"m\.csv: the manifest holds no clips \("),
        ("", r"m\.csv: the manifest holds no clips \("),
        (HEADER.encode() + b"a.wav,caf\xe9,\n", r"m\.csv:2: not UTF-8 \(byte 10 of the line\) \(save"),
        (HEADER.encode("utf-16"), r"m\.csv:1: the line contains a NUL byte.*\(save"),
        (HEADER + "a.wav,x\0y,\n", r"m\.csv:2: the line contains a NUL byte"),
        (HEADER + 'a.wav,x,\nb.wav,"never,\nc.wav,y,\n', r"m\.csv:3: a quote .* is never closed \(inside"),
        (HEADER + 'a.wav,"never,\nb.wav,"y",\n', r"m\.csv:2: in the row .* never closed"),
        (HEADER + 'a.wav,"' + "x" * 200_000, r"m\.csv:2: a field of more than .* never closed"),
    ],
)
def test_errors_name_file_line_and_remedy(tmp_path, content, message):
    with pytest.raises(DataError) as caught:
        read_csv(tmp_path, content)
    assert re.search(message, str(caught.value)), str(caught.value)


def test_a_missing_manifest_and_plain_columns(tmp_path):
    with pytest.raises(DataError, match=r"no\.csv: cannot be read"):
        read_manifest(tmp_path / "no.csv", AudioItem)
    with pytest.raises(DataError, match="unknown column 'plain_audio'"):
        read_csv(tmp_path, HEADER + "a.wav,x,\n", ClipItem)


def test_a_table_may_have_no_plain_clips_at_all(tmp_path):
    [(_, item)] = read_csv(tmp_path, "audio,text\na.wav,We go\n")
    assert (item.audio, item.text, item.plain_audio) == ("a.wav", "We go", [])


# --- paired and unpaired ---------------------------------------------------------------------------------------------


def test_paired_and_unpaired_clips_stay_apart(clips):
    rows = [
        {"id": "with", "audio": "tagged.wav", "text": TAGGED, "plain_audio": ["plain.wav"]},
        {"id": "without", "audio": "tagged.wav", "text": TAGGED},
        {"id": "lost", "audio": "nowhere.wav", "text": TAGGED},
    ]
    scores = score_manifest(write_jsonl(clips / "mixed.jsonl", rows))
    figures = scores.as_json()
    assert figures["paired"]["<pause_long>"]["n"] == 1 and figures["unpaired"]["<pause_long>"]["n"] == 2
    assert figures["unpaired"]["<pause_long>"]["unmeasurable"] == 1, "a clip that is lost stays unpaired"
    assert figures["unpaired"]["<pause_long>"]["hit"] == figures["paired"]["<pause_long>"]["hit"] == 1
    assert figures["exploratory"] == ["<pitch_high>"]
    assert figures["unpaired_thresholds"]["<pitch_high>"] != figures["thresholds"]["<pitch_high>"]["threshold"]
    assert {row["threshold_from"] for row in figures["thresholds"].values()} == {NOT_APPLICABLE}
    assert [str(problem).split(": ")[-2] for problem in scores.problems] == ["nowhere.wav"]


def test_lines_whose_text_was_shifted_are_named_and_never_judged(clips):
    """Every clip has the text of the next line; the third clip is right, but its plain clip says something else."""
    other = TaggedText.parse("Our new <pitch_high> factory in the north will open <pause_long> before the end of June")
    for name, text in (("other", other), ("other_plain", other.stripped())):
        write_wav(clips / f"{name}.wav", say(text))
    (clips / "shifted.csv").write_text(
        "audio,text,plain_audio\n"
        f"tagged.wav,{other.format()},plain.wav\n"
        f"other.wav,{TAGGED},other_plain.wav\n"
        f"tagged.wav,{TAGGED},other_plain.wav\n"
        f"other.wav,{other.format()},other_plain.wav\n"
    )
    scores = score_manifest(clips / "shifted.csv")
    assert [(problem.line, problem.message) for problem in scores.problems] == [
        (2, f"tagged.wav: {UNFIT}"), (2, f"plain.wav: {UNFIT}"), (3, f"other.wav: {UNFIT}"), (3, f"other_plain.wav: {UNFIT}"),
        (4, f"other_plain.wav: {UNFIT}"),
    ]  # fmt: skip
    found = [
        (o.sentence, o.verdict.value, o.reason)
        for o in scores.outcomes
        if o.tag is Tag.PAUSE_LONG and o.arm.value == "tagged"
    ]
    assert found == [
        ("000002", "unmeasurable", UNFIT), ("000003", "unmeasurable", UNFIT),
        ("000004", "unmeasurable", f"no plain clip could be measured: {UNFIT}"), ("000005", "hit", ""),
    ]  # fmt: skip
    figures = scores.as_json()
    assert (figures["paired_clips"], figures["unpaired_clips"]) == (4, 0)


def test_lines_of_one_text_are_one_cluster(clips):
    """Two clips of one text are weaker evidence than two texts: the interval is that of one cluster."""
    row = {"audio": "tagged.wav", "text": TAGGED, "plain_audio": ["plain.wav"]}
    one = score_manifest(write_jsonl(clips / "one.jsonl", [row]), check_leaks=False).per_tag(paired=True)[
        "<pause_long>"
    ]
    two = score_manifest(write_jsonl(clips / "two.jsonl", [row, row]), check_leaks=False).per_tag(paired=True)[
        "<pause_long>"
    ]
    assert two["n"] == 2 and (two["low"], two["high"]) == (one["low"], one["high"])


# --- thresholds ------------------------------------------------------------------------------------------------------


@pytest.fixture
def spread(monkeypatch):
    """Replace the differences of plain clips: those in half 0 are 2 units, those in half 1 are 4."""
    made = []

    def differences(text, plain):
        made.append((text, len(plain)))
        size = 2.0 + 2 * half(digest(text.plain))
        return {cue: [size] * MIN_DIFFERENCES for cue in by_cue()}

    monkeypatch.setattr(files, "null_differences", differences)
    return made


def text_in_half(part, tags=""):
    """Return a text in one half of the sentences to which the clip of `PLAIN` would align."""
    for end in ("agreed", "agreed.", "agreed!", "agreed?", "agreed;", "agreed:"):
        if half(digest(f"We asked every customer about it and they {end}")) == part:
            return f"We asked {tags}every customer <pitch_high> about it and they {end}"
    raise AssertionError(part)


def test_thresholds_come_from_the_other_half_and_from_the_same_text(clips, spread):
    plain = ["p0.wav", "p1.wav", "p2.wav"]
    rows = [
        {"id": "0", "audio": "tagged.wav", "text": text_in_half(0, "<pause_long> "), "plain_audio": plain},
        {"id": "1", "audio": "tagged.wav", "text": text_in_half(1), "plain_audio": ["p3.wav", "plain.wav", "p0.wav"]},
    ]
    scores = score_manifest(write_jsonl(clips / "own.jsonl", rows))
    assert not scores.thresholds.values, "p0.wav was counted for the first line, so the other half has nothing"
    rows[1]["plain_audio"] = ["p3.wav", "plain.wav", "tagged.wav"]
    scores = score_manifest(write_jsonl(clips / "own.jsonl", rows))
    found = {o.sentence: o.threshold for o in scores.outcomes if o.tag is Tag.PITCH_HIGH and o.arm.value == "tagged"}
    assert found == {"0": 4.0, "1": 2.0}, "the threshold of a half is the percentile of the other"
    figures = scores.as_json()
    assert figures["null"] == {"from": MANIFEST, "texts": 2, "used": 2, "too_few_clips": 0}
    assert figures["thresholds"]["<pitch_high>"]["threshold_from"] == NULL
    assert all(not text.tags for text, _ in spread), "the null is of plain texts"


def test_a_hit_under_the_floor_is_a_miss_under_the_engines_own_threshold(clips, monkeypatch):
    row = {"id": "a", "audio": "tagged.wav", "text": TAGGED, "plain_audio": ["p0.wav", "p1.wav", "p2.wav"]}
    path = write_jsonl(clips / "judge.jsonl", [row])
    before = {o.tag: o for o in score_manifest(path).outcomes if o.arm.value == "tagged"}
    assert before[Tag.PITCH_HIGH].verdict is Verdict.HIT
    above = before[Tag.PITCH_HIGH].value + 1
    wide = {cue: [above] * MIN_DIFFERENCES for cue in by_cue()}
    monkeypatch.setattr(files, "null_differences", lambda _, plain: wide if len(plain) >= 3 else {})
    (clips / "wide").mkdir(exist_ok=True)
    named = [{"audio": f"../p{n}.wav", "text": text_in_half(part).replace("<pitch_high> ", "")}
             for part, numbers in ((0, (0, 1, 2)), (1, (3,))) for n in numbers]  # fmt: skip
    write_jsonl(clips / "wide" / "manifest.jsonl", named)
    assert score_manifest(path, calibrate=clips / "wide").thresholds.reason(Tag.PITCH_HIGH) == TOO_FEW
    named += [{"audio": f"../{name}.wav", "text": named[-1]["text"]} for name in ("plain", "tagged")]
    write_jsonl(clips / "wide" / "manifest.jsonl", named)
    scores = score_manifest(path, calibrate=clips / "wide")
    after = {o.tag: o for o in scores.outcomes if o.arm.value == "tagged"}
    assert after[Tag.PITCH_HIGH].verdict is Verdict.MISS
    assert after[Tag.PITCH_HIGH].value == before[Tag.PITCH_HIGH].value
    assert scores.null["from"] == CALIBRATION


def test_calibration_of_real_clips_counts_texts_with_too_few(clips, tmp_path):
    rows = [*(f"{clips}/p{number}.wav,{PLAIN}" for number in range(4)), f"{clips}/plain.wav,Just one of these"]
    (tmp_path / "manifest.csv").write_text("audio,text\n" + "\n".join(rows))
    row = {"audio": "tagged.wav", "text": TAGGED, "plain_audio": ["p0.wav"]}
    scores = score_manifest(write_jsonl(clips / "c.jsonl", [row]), calibrate=tmp_path)
    assert scores.null == {"from": CALIBRATION, "texts": 2, "used": 1, "too_few_clips": 1}
    assert {sample.sentence for sample in scores.samples} == {digest(PLAIN)}
    levels = next(sample.values for sample in scores.samples if sample.cue == DETECTORS[Tag.PITCH_HIGH].cue.value)
    assert 3 * 4 <= len(levels) <= len(PLAIN.split()) * 4 and np.abs(np.mean(levels)) < 0.01
    assert scores.thresholds.reason(Tag.EMPH) == TOO_FEW, "far fewer than a thousand: the floors apply"
    assert {o.threshold for o in scores.outcomes if o.tag is Tag.PITCH_HIGH} == {DETECTORS[Tag.PITCH_HIGH].floor}


def test_unusable_calibration_folders_are_refused(clips, tmp_path):
    paired = write_jsonl(clips / "d.jsonl", [{"audio": "tagged.wav", "text": TAGGED, "plain_audio": ["p0.wav"]}])
    with pytest.raises(DataError, match="neither manifest"):
        score_manifest(paired, calibrate=tmp_path)
    (tmp_path / "manifest.csv").write_text("audio,text\na.wav,We <emph> go\n")
    with pytest.raises(DataError, match=r"manifest.csv:2: a plain clip has no tags"):
        score_manifest(paired, calibrate=tmp_path)
    (tmp_path / "manifest.csv").write_text("audio,text\na.wav,We go\na.wav,We go\n")
    with pytest.raises(DataError, match=r"manifest.csv:3: the clip 'a.wav' was already named on line 2"):
        score_manifest(paired, calibrate=tmp_path)
    (tmp_path / "manifest.csv").write_text("audio,text\n" + "".join(f"{n}.wav,We go\n" for n in range(3)))
    problems = score_manifest(paired, calibrate=tmp_path).problems
    assert [problem.line for problem in problems] == [2, 3, 4] and "1.wav: audio file is missing" in str(problems[1])
    unpaired = write_jsonl(clips / "e.jsonl", [{"audio": "tagged.wav", "text": TAGGED}])
    with pytest.raises(DataError, match="nothing to calibrate"):
        score_manifest(unpaired, calibrate=tmp_path)
    write_jsonl(tmp_path / "manifest.jsonl", [{"audio": "a.wav", "text": "We go"}])
    with pytest.raises(DataError, match="both"):
        score_manifest(paired, calibrate=tmp_path)


# --- cost ------------------------------------------------------------------------------------------------------------


def test_jobs_change_nothing(clips):
    row = {"audio": "tagged.wav", "text": TAGGED}
    rows = [row, {**row, "plain_audio": ["p0.wav", "p1.wav", "p2.wav"]}, {**row, "audio": "no.wav"}, row]
    path = write_jsonl(clips / "j.jsonl", rows)
    one, two = (score_manifest(path, jobs=jobs) for jobs in (1, 2))
    assert [outcome.line() for outcome in one.outcomes] == [outcome.line() for outcome in two.outcomes]
    assert one.as_json() == two.as_json() and one.samples == two.samples and one.samples
    assert list(map(str, one.problems)) == list(map(str, two.problems)) != []
    with pytest.raises(HarnessError, match="at least 1, got 0"):
        score_manifest(path, jobs=0)


def test_a_lack_of_memory_costs_one_clip(clips, monkeypatch):
    def read(path):
        if "p1" in str(path):
            raise MemoryError
        return read_audio(path)

    monkeypatch.setattr("harness.prosody.clip_scores.read_audio", read)
    row = {"audio": "tagged.wav", "text": TAGGED}
    rows = [row, {**row, "audio": "p1.wav"}, row]
    scores = score_manifest(write_jsonl(clips / "memory.jsonl", rows))
    assert [str(problem).rpartition("memory.jsonl:")[2] for problem in scores.problems] == [
        "2: p1.wav: not enough memory"
    ]
    reasons = [outcome.reason for outcome in scores.outcomes]
    assert len(reasons) == 6 and [reason for reason in reasons if reason] == ["p1.wav: not enough memory"] * 2


def test_an_error_of_a_library_is_the_reason_of_its_clip(clips, monkeypatch):
    monkeypatch.setattr("harness.prosody.scorer.measure", lambda *_: 1 / 0)
    scores = score_manifest(write_jsonl(clips / "bug.jsonl", [{"audio": "tagged.wav", "text": TAGGED}]))
    assert {outcome.reason for outcome in scores.outcomes} == {"ZeroDivisionError: division by zero"}


def deadly(rows):
    if 3 in rows:
        os.kill(os.getpid(), signal.SIGKILL)
    return files._Part(len(rows), scores=list(rows))


def test_a_clip_that_kills_its_worker_costs_only_itself():
    seen = []
    tasks = [[0, 1], [2, 3, 4], [5]]
    lost = lambda row: files._Part(1, scores=[-row])  # noqa: E731
    parts = list(files._in_order(deadly, tasks, 2, lost, seen.append))
    assert [score for part in parts for score in part.scores] == [0, 1, -3, 2, 4, 5]
    assert sum(seen) == 6


# --- real recordings -------------------------------------------------------------------------------------------------


@real_speech
def test_real_recordings_from_either_format(tmp_path):
    spoken = {f"{name}.wav": [text for *_, text in labelled(name)] for name in RECORDINGS} | {"jfk.flac": JFK.split()}
    rows = []
    for name, words in spoken.items():
        text = TaggedText(words, [(2 + at * (len(words) - 4) // len(TAGS), tag) for at, tag in enumerate(TAGS)])
        rows.append({"id": name, "audio": str(locate(f"real-speech/{name}")), "text": text.format()})
    lines = write_jsonl(tmp_path / "m.jsonl", rows)
    table = tmp_path / "m.csv"
    table.write_text(
        "text,audio,plain_audio,id\n" + "".join(f'"{row["text"]}",{row["audio"]},,{row["id"]}\n' for row in rows)
    )
    scores, same = score_manifest(lines), score_manifest(table)
    assert scores.outcomes == same.outcomes and scores.as_json() == same.as_json()
    assert len(scores.outcomes) == 3 * len(TAGS) and not scores.problems
    assert {o.verdict for o in scores.outcomes} <= {Verdict.HIT, Verdict.MISS, Verdict.WRONG_DIRECTION}
    assert not any(o.paired for o in scores.outcomes)
    figures = scores.as_json()
    assert figures["paired"] == figures["thresholds"] == {} and len(figures["unpaired"]) == len(TAGS)
    assert set(figures["exploratory"]) == {tag.value for tag in TAGS if tag not in PAUSES}
    long_pause = next(o for o in scores.outcomes if o.sentence == "jfk.flac" and o.tag is Tag.PAUSE_LONG)
    assert long_pause.slot == 7 and long_pause.verdict is Verdict.HIT and long_pause.value > 0.7, "he waits after 'not'"
