"""The leaderboard: groups of the same sentences, stored clips that are scored again, and files that are refused."""

import copy
import json
import shutil

import pytest
from helpers import command
from markdown_it import MarkdownIt

from harness.errors import DataError
from harness.experiment.leaderboard import leaderboard, load_sources
from harness.experiment.result_files import FOLDER, load_results, publish
from harness.experiment.stored_clips import MOST, clips_folder, store_clips
from harness.publish.leaderboard import engine_rows, markdown, page, tagger_rows
from harness.store import read_json

HOSTILE = "a|b <script>alert(1)</script> {{ x }} `y` [z](javascript:1)\n| new | row |"


@pytest.fixture(scope="module")
def made(finished, tmp_path_factory):
    """Return a result file with two stored clips of the small run."""
    path = tmp_path_factory.mktemp("made") / "mine.json"
    return publish(finished[0], path, store_clips(finished[0], path, 2))


def copied(made, folder, change=lambda fields: None, name="other.json"):
    """Copy a result file and its clips, with a change of its content."""
    fields = read_json(made)
    change(fields)
    (folder / name).write_text(json.dumps(fields))
    shutil.copytree(clips_folder(made), clips_folder(folder / name))
    return folder / name


def test_stored_clips_get_their_verdicts_again(made, finished, tmp_path):
    fields = read_json(made)
    assert len(fields["stored"]) == 2 and {one["engine"] for one in fields["stored"]} == {"espeak"}
    named = {name for one in fields["stored"] for name in (one["audio"], *one["plain"])}
    assert {path.stem for path in clips_folder(made).iterdir()} == named
    board = leaderboard(load_sources([made, finished[0]]))
    [group] = board["engines"]
    assert [row["clips"] for row in group["rows"]] == [{"stored": 2, "checked": 2}, {"stored": 0, "checked": None}]
    publish(finished[0], made)
    assert read_json(made) == fields, "writing it again without --clips loses nothing"


def verdict(fields):
    outcome = fields["stored"][0]["outcomes"][0]
    outcome["verdict"] = "miss" if outcome["verdict"] == "hit" else "hit"


REFUSED = {
    "another verdict": (verdict, "when the clip is scored again"),
    "a threshold below the floor": (lambda f: f["stored"][0]["outcomes"][0].update(threshold=0.01), "must be at least"),
    "a tag without its outcome": (lambda f: f["stored"][0].update(text="Go now."), "are not those of the tags"),
    "a path for a name": (lambda f: f["stored"][0].update(audio="../../secret"), "audio"),
    "a clip that is not there": (lambda f: f["stored"][0].update(audio="0" * 16), "audio file is missing"),
    "a clip of no engine": (lambda f: f["stored"][0].update(engine="none"), "no engine of the file"),
    "more hits than counted": (
        lambda f: f["engines"]["espeak"]["per_tag"]["<emph>"].update(miss=99), "the counts of verdicts do not give",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_cannot_be_trusted_is_refused(made, tmp_path, name):
    change, message = REFUSED[name]
    with pytest.raises(DataError, match=message) as caught:
        load_sources([copied(made, tmp_path, change)])
    assert caught.value.path and caught.value.remedy


def test_rows_of_other_sentences_are_in_another_table(made, tmp_path):
    def other_sentences(fields):
        fields["provenance"]["parameters"]["sentences"] = "mine.jsonl"
        fields["provenance"]["data"] = {"mine.jsonl": "a" * 64}

    def fewer(fields):
        fields["sentences"] = 3

    files = [made]
    for name, change in (("same", lambda f: None), ("other", other_sentences), ("fewer", fewer)):
        files.append(copied(made, tmp_path, change, f"{name}.json"))
    board = leaderboard(load_sources(files, check=False))
    assert [(group["title"], len(group["rows"])) for group in board["engines"]] == [
        ("heldout, 4 sentences", 2), ("mine.jsonl, version aaaaaaaa, 4 sentences", 1), ("heldout, 3 sentences", 1),
    ]  # fmt: skip
    assert "cannot be compared" in markdown(board)


def test_the_mean_counts_what_cannot_be_expressed_as_zero():
    board = leaderboard(load_sources([FOLDER / "controls.json"], check=False))
    titles = [group["title"] for group in board["engines"]]
    assert titles == ["standard, 216 sentences", "standard, 72 sentences"]
    rows = board["engines"][0]["rows"]
    assert rows == sorted(rows, key=lambda row: -row["mean"]) and rows[-1]["name"] == "piper"
    assert rows[-1]["note"] == "not sent the tags" and "reads tags" not in json.dumps(board)
    rates = [row["hit_rate"] for row in rows[0]["per_tag"].values()]
    assert rows[0]["mean"] == pytest.approx(sum(rates) / 7)
    mine = load_sources([FOLDER / "controls.json"], check=False)
    silent = copy.deepcopy(read_json(FOLDER / "controls.json"))
    name = rows[0]["name"]
    row = silent["engines"][name]["per_tag"]["<emph>"]
    row.update(dict.fromkeys(("n", "hit", "miss", "wrong_direction", "leaked", "unmeasurable"), 0))
    row.update(hit_rate=None, low=None, high=None, not_expressible=216)
    changed = type(mine.runs[0].result).model_validate(silent)
    again = leaderboard(type(mine)([type(mine.runs[0])("x", changed)]))["engines"][0]["rows"]
    mean = next(row["mean"] for row in again if row["name"] == name)
    assert mean == pytest.approx(sum(rates[1:]) / 7)


def test_the_published_results_make_a_page():
    board = leaderboard(load_sources(check=False))
    tagged = {group["title"]: [row["name"] for row in group["rows"]] for group in board["taggers"]}
    assert "rules" in tagged["heldout, 102 sentences"]
    assert tagged["heldout, 102 sentences"][-1] == "second pass", "another annotation is not ranked"
    assert all("▲" not in row["micro F1"] for group in board["taggers"] for row in tagger_rows(group)[-1:])
    rows = {row["engine"]: row["emph"] for row in engine_rows(board["engines"][0])}
    assert {"hibari", "piper", "piper (not sent the tags)", "espeak:en-us+f3"} <= rows.keys()
    assert sum(cell.endswith("▲") for cell in rows.values()) <= 1
    assert page().count("\n| tagger |") == len(board["taggers"])


def test_stored_clips_of_the_published_results_get_their_verdicts_again():
    assert any(result.stored for result in load_results().values())
    load_sources()


def test_text_of_a_file_is_not_markup(made, tmp_path):
    def hostile(fields):
        fields["engines"] = {HOSTILE: fields["engines"]["espeak"]}
        fields["taggers"] = {HOSTILE: fields["taggers"]["rules"]}
        fields["provenance"]["parameters"]["sentences"] = HOSTILE

    shown = markdown(leaderboard(load_sources([copied(made, tmp_path, hostile)], check=False)))
    made_html = MarkdownIt("commonmark", {"html": True}).enable("table").render(shown)
    assert "<script" not in made_html and "{{" not in shown and "href" not in made_html
    assert made_html.count("<tr>") == 2 * made_html.count("<table>")


def test_the_command(made, finished, tmp_path):
    done = command("leaderboard", made, FOLDER / "bench.json", "--no-check", "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 0 and found["engines"][0]["rows"][0]["clips"] == {"stored": 2, "checked": None}
    assert found["left_out"] == ["data/results/bench.json"]
    shown = command("leaderboard", made, FOLDER / "controls.json", "--no-check")
    assert shown.returncode == 0 and max(map(len, shown.stdout.decode().split("mean: ")[0].splitlines())) <= 80
    refused = command("leaderboard", copied(made, tmp_path, verdict))
    assert refused.returncode == 2 and len(refused.stderr.splitlines()) == 1 and refused.stdout == b""
    unfinished = command("leaderboard", tmp_path)
    assert unfinished.returncode == 2 and b"does not contain a finished run" in unfinished.stderr
    with pytest.raises(DataError, match=f"between 1 and {MOST}"):
        store_clips(finished[0], tmp_path / "x.json", MOST + 1)
    usage = command("run", "data/experiments/quickstart.yaml", "--clips", 3)
    assert usage.returncode == 2 and b"--clips needs --result" in usage.stderr
