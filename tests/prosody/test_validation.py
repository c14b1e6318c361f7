"""Labelled recordings: what is read from them, what is refused, and what is reported."""

import json
import shutil

import numpy as np
import pytest
from helpers import command, needs_data

from harness.audio import Audio, read_audio, resample, write_wav
from harness.errors import DataError, HarnessError
from harness.paths import DATA
from harness.prosody.listeners import load_listener
from harness.prosody.textgrid import read_intervals, write_textgrid
from harness.prosody.validation import load_set, validate
from harness.prosody.validation.recordings import Kind, kind_of, match_words
from harness.prosody.validation.todi import parse_sentence
from harness.records import WordTime

EXAMPLE = DATA / "examples" / "labelled"
WORDS = "We guarantee lower prices".split()


@pytest.fixture
def own(tmp_path):
    """A copy of the example."""
    return shutil.copytree(EXAMPLE, tmp_path / "own")


@pytest.fixture
def todi(tmp_path):
    """One recording of ours as an exercise of the course."""
    folder = tmp_path / "todi"
    folder.mkdir()
    shutil.copy(EXAMPLE / "statement.wav", folder / "9A-1.wav")
    shutil.copy(EXAMPLE / "statement.TextGrid", folder / "9A-1.TextGrid")
    write_exercise(folder)
    return folder


def write_exercise(
    folder, sentence="[](%L) [We] [guarantee]0 [lower]0 [prices] []1", key=("L*H", "∅", "!H%"), **changed
):
    item = {"sentence": sentence, "key": list(key), "wav": "9A-1.wav", "textgrid": "9A-1.TextGrid"} | changed
    text = json.dumps({"items": [item], "choices": []}, indent=1, ensure_ascii=False)
    (folder / "exercise9a.json").write_text(text, encoding="utf-8")


def problems_of(name, folder):
    done = command("validate", name, "--folder", folder, "--listeners", "none", "--json")
    assert done.returncode == 2 and done.stdout, done.stderr
    figures = json.loads(done.stdout)
    lines = done.stderr.decode().splitlines()
    assert lines == [f"harness: {problem}" for problem in figures["problems"]]
    assert figures["recordings"]["unmeasurable"] == len(lines)
    unmeasurable = [clip["reason"] for clip in figures["clips"] if clip["status"] == "unmeasurable"]
    assert len(unmeasurable) == len(lines) and all(unmeasurable)
    return lines


# --- labels ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "kind"),
    [("H*L H* !H* !H*L L* L*H L*HL L*!HL H*LH !H*LH H*!H H*+L L+H* L*+H H+!H* accent", Kind.ACCENT),
     ("H% L% % !H% L-L% H-H%", Kind.FINAL), ("%L %H %HL !%L !%H !%HL", Kind.INITIAL), ("L H !H", Kind.TONE), ("P", Kind.PAUSE),
     ("∅ Ø ---", Kind.NONE)],
)  # fmt: skip
def test_labels_of_todi(labels, kind):
    assert {kind_of(label) for label in labels.split()} == {kind}


@pytest.mark.parametrize("label", ["X*", "H**", "h*l", "H*LLL", "%%", "emph", "1", "**", "HLH"])
def test_other_labels_are_refused(label):
    with pytest.raises(DataError, match="is unknown"):
        kind_of(label)


def test_the_key_is_used_in_order_whatever_the_lists_of_choices():
    words = parse_sentence("[]0 [Ze]1 zit [hier](!H*L) []2 [](P) []0 [nu]1 []2", ["%L", "∅", "H%", "%HL", "L*HL", "%"])
    assert [(w.word, w.accent, w.boundary, w.pause) for w in words] == [
        ("Ze", "", "", False), ("zit", "", "", False), ("hier", "!H*L", "H%", True), ("nu", "L*HL", "%", False),
    ]  # fmt: skip
    with pytest.raises(DataError, match="the key has 1 labels, but the sentence has 2 choices"):
        parse_sentence("[a]0 [b]0", ["H*"])
    with pytest.raises(DataError, match="is on no word"):
        parse_sentence("[a] [](H*L)", [])


def test_words_are_matched_by_their_letters():
    def spans(*sides):
        groups = match_words(*(side.split() for side in sides))
        return groups and [(len(mine), len(theirs)) for mine, theirs in groups]

    assert spans("Één hond", "een Hond") == [(1, 1), (1, 1)]
    assert spans("hoe't is", "hoe 't is") == [(1, 2), (1, 1)]
    assert spans("op een dag", "opeen dag") == [(2, 1), (1, 1)]
    assert spans("loopt uitte doen", "loopt uit doen") == [(1, 1)] * 3, "one of three is spelled in another way"
    assert spans("ik zit op muziekles", "ik zit op") is None
    assert spans("en hij wil dat", "de partij weet wat") is None


# --- reports ---------------------------------------------------------------------------------------------------------


def test_the_example_of_the_howto():
    figures = validate(load_set("own", EXAMPLE), [load_listener("dummy")], n_resamples=50)
    assert figures["recordings"] == {"all": 2, "scored": 2, "unmeasurable": 0, "distinct": 2}
    assert figures["labels"] == {"accent": {"accent": 2}, "boundary": {"L%": 1, "H%": 1}, "pause": 0}
    rows = {(row["contrast"], row["cue"]): row for row in figures["auc"]}
    emphasis = rows["accent", "emphasis"]
    assert emphasis["auc"] == 1 and (emphasis["positive"], emphasis["negative"]) == (2, 8), "espeak obeys <emph>"
    assert rows["H% v. L%", "pitch_end"]["auc"] == 1 and ("H% v. L%, last", "pitch_end") not in rows
    assert {row["cue"]: row["role"] for row in figures["top1"]} == {
        "emphasis": "detector", "pitch_level": "detector", "duration": "baseline", "dummy": "listener"
    }  # fmt: skip
    top = next(row for row in figures["top1"] if row["cue"] == "emphasis")
    assert (top["hits"], top["recordings"]) == (2, 2) and top["chance"] == pytest.approx((1 / 4 + 1 / 6) / 2)
    assert [row["cue"] for row in figures["agreement"]] == ["emphasis", "pitch_level", "duration"]
    values = figures["clips"][0]["words"][1]["values"]
    assert values["emphasis"] > 0 and values["pitch_end"] is None and values["dummy"] > 0
    json.dumps(figures, allow_nan=False)


class Judge:
    """A listener of clips that refuses the question."""

    name, unit, revision = "judge", "clip", "1"

    def judge(self, audio, words):
        if words[0].word == "Can":
            raise DataError("too curious")
        return np.array([4.0])


def test_a_listener_that_cannot_judge_a_clip_says_why():
    figures = validate(load_set("own", EXAMPLE), [Judge()], n_resamples=20)
    assert figures["quality"][0]["mean"] == 4 and figures["quality"][0]["recordings"] == 1
    assert figures["listeners"]["judge"]["unmeasurable"] == {"too curious": 1}
    assert [clip["unheard"] for clip in figures["clips"]] == [{}, {"judge": "too curious"}]


def test_the_command_prints_tables():
    done = command("validate", "own", "--folder", EXAMPLE, "--listeners", "dummy", "--resamples", 20)
    text = done.stdout.decode()
    assert done.returncode == 0 and not done.stderr
    assert "2 of 2 recordings scored" in text and "dummy (listener)" in text and "H% v. L%" in text


def test_wrong_use_is_one_line():
    for arguments, said in ((("x",), "choose one of: todi"), (("own",), "--folder DIR"),
                            (("own", "--folder", "nowhere"), "no such folder"),
                            (("own", "--folder", EXAMPLE, "--listeners", "x"), "no listener is called 'x'")):  # fmt: skip
        done = command("validate", *arguments)
        assert done.returncode == 2 and said in done.stderr.decode() and len(done.stderr.splitlines()) == 1
    for name, said in (("own", r"recordings: there is no labels\.csv"), ("todi", r"recordings: no file is called exercise"),
                       ("emphassess", r"recordings: there is no df_test")):  # fmt: skip
        with pytest.raises(HarnessError, match=said):
            load_set(name, DATA / "recordings")


# --- bad input -------------------------------------------------------------------------------------------------------


def replace(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_wrong_rows_of_labels_name_file_and_line(own):
    replace(own / "labels.csv", "lower,", "lower,X*")
    replace(own / "labels.csv", "question.wav,wait,\n", "")
    shutil.copy(own / "statement.wav", own / "unlabelled.wav")
    two, three, one = problems_of("own", own)
    assert "labels.csv:10: the recording 'unlabelled.wav' is in the folder, but has no labels" in one
    assert "labels.csv:4: the label 'X*' is unknown" in two
    assert "labels.csv:9: word 4 of 'question.wav' is 'until', but 'wait' in question.csv" in three


def test_wrong_times_name_file_and_line(own):
    replace(own / "question.csv", "you,0.218", "you,0.118")
    grid = own / "statement.TextGrid"
    words = [word.model_copy(update={"end": word.end + (k == 3)}) for k, (_, word) in enumerate(read_intervals(grid))]
    write_textgrid(grid, words, words[-1].end)
    line = read_intervals(grid)[-1][0]
    one, two = problems_of("own", own)
    assert "question.csv:3: the word 'you' starts at 0.118 s, before the word 'Can' ends (0.218 s)" in one
    assert f"statement.TextGrid:{line}: the word 'prices' ends at" in two and "but the clip is 1.9" in two


def test_audio_of_a_telephone_is_refused(own):
    audio = read_audio(own / "question.wav")
    write_wav(own / "question.wav", Audio(resample(audio.samples, audio.sample_rate, 8000), 8000))
    [said] = problems_of("own", own)
    assert "labels.csv:6: question.wav: 8000 samples per second, but at least 16000 are needed" in said


def test_nothing_to_score_is_still_a_report(own):
    (own / "question.csv").unlink()
    (own / "statement.wav").write_bytes(b"")
    one, two = problems_of("own", own)
    assert "labels.csv:6: the recording 'question.wav' has no word times" in one
    assert "labels.csv:2: statement.wav: not readable as audio" in two


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "latin-1", "utf-16-be"])
def test_an_exercise_with_a_textgrid_in_any_encoding(todi, encoding):
    grid = todi / "9A-1.TextGrid"
    text = grid.read_text(encoding="utf-8").replace('"lower"', '"lówer"').replace('"words"', '"Words"')
    grid.write_bytes((b"\xfe\xff" if encoding == "utf-16-be" else b"") + text.encode(encoding))
    [recording] = load_set("todi", todi).recordings
    assert recording.name == "9a/9A-1"
    assert [(w.word, w.accent, w.boundary) for w in recording.words] == [
        ("We", "", ""), ("guarantee", "L*H", ""), ("lower", "", ""), ("prices", "", "!H%")
    ]  # fmt: skip
    assert None not in recording.times_lines


@pytest.mark.parametrize("mark", ["v", "M", "x"])
def test_the_mark_of_a_speaker_is_no_word(todi, mark):
    grid = todi / "9A-1.TextGrid"
    words = [word for _, word in read_intervals(grid)]
    words = [WordTime(word=mark, start=0, end=0.01), words[0].model_copy(update={"start": 0.01}), *words[1:]]
    write_textgrid(grid, words, 1.9)
    assert [word.word for word in load_set("todi", todi).recordings[0].words] == WORDS


def test_wrong_exercises_name_file_and_line(todi):
    def said():
        [line] = problems_of("todi", todi)
        return line

    write_exercise(todi, key=("L*H", "Q*", "L%"))
    assert "exercise9a.json:7: the label 'Q*' is unknown" in said()
    write_exercise(todi, key=("L*H",))
    assert "exercise9a.json:4: the key has 1 labels, but the sentence has 3 choices" in said()
    write_exercise(todi, sentence="[We] [guarantee]0 [prices]0 []0")
    assert "9A-1.TextGrid:15: the words are not those of the key: 4 here" in said()
    write_exercise(todi, textgrid="9A-2.TextGrid")
    assert "exercise9a.json:4: the file '9A-2.TextGrid' is not in the folder" in said()
    write_exercise(todi)
    shutil.copy(todi / "9A-1.wav", todi / "9A-3.wav")
    assert "the recording '9A-3.wav' is in the folder, but has no labels" in said()
    (todi / "9A-3.wav").unlink()
    grid = todi / "9A-1.TextGrid"
    start = read_intervals(grid)[1][1].start
    replace(grid, f"xmin = {start}", f"xmin = {start - 0.1}")
    assert f"9A-1.TextGrid:{read_intervals(grid)[1][0]}: the word 'guarantee' starts at" in said()
    (todi / "exercise9a.json").write_text('{"items": [\n}')
    (todi / "9A-1.wav").unlink()
    assert "exercise9a.json:2" in said()


def test_emphassess_layout(tmp_path):
    shutil.copy(EXAMPLE / "statement.wav", tmp_path / "a.wav")
    row = {"src_sentence": [*WORDS, "."], "gold_emphasis": [1], "tgt_audiopath": "x/a.wav", "tgt_lang": "en"}
    listed = tmp_path / "df_test.json"
    listed.write_text(json.dumps(row) + "\n")
    figures = validate(load_set("emphassess", tmp_path), n_resamples=20)
    assert [row["hits"] for row in figures["top1"] if row["cue"] == "emphasis"] == [1]
    wrong = ({"gold_emphasis": [4]}, {"gold_emphasis": [9]}, {"tgt_lang": "nl"}, {"tgt_audiopath": "b.wav"},
             {"src_sentence": "We"})  # fmt: skip
    listed.write_text("\n".join(json.dumps(row | change) for change in wrong))
    said = [str(problem.error) for problem in load_set("emphassess", tmp_path).problems]
    assert [f"df_test.json:{line}: " in text for line, text in enumerate(said, start=1)] == [True] * 5


# --- the published sets ----------------------------------------------------------------------------------------------


@needs_data("todi")
def test_the_recordings_of_the_course():
    labelled = load_set("todi")
    assert [problem.name for problem in labelled.problems] == ["1B/1B-10", "3A/3A-6"], (
        "their TextGrids hold other words"
    )
    figures = validate(labelled, n_resamples=200)
    assert figures["recordings"] == {"all": 60, "scored": 58, "unmeasurable": 2, "distinct": 55}
    assert figures["labels"]["accent"] == {"H*L": 76, "!H*L": 20, "H*": 13, "!H*": 3, "L*H": 2}
    rows = {(row["contrast"], row["cue"]): row for row in figures["auc"]}
    assert rows["accent", "emphasis"]["auc"] >= 0.81
    ends = rows["H% v. L%, last", "pitch_end"]
    assert ends["positive"] + ends["negative"] + ends["unmeasurable"] == 8 + 43


@needs_data("emphassess")
def test_the_acted_sentences():
    figures = validate(load_set("emphassess"), n_resamples=200)
    assert figures["recordings"]["scored"] == 10
    top = {row["cue"]: row["hits"] for row in figures["top1"]}
    assert top["emphasis"] >= 7 > top["duration"]
