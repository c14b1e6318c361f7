import pytest

from harness.chapters.ch09_higgs_api.figures import first_sound_curves
from harness.chapters.ch09_higgs_api.verdict import judge_availability, judge_marked_text
from harness.engines.higgs_v3 import loss_table

COMMAND = "make chapter N=09 …"
OLD, NEW = "https://hackathon.boson.ai/v1", "https://api.boson.ai/v1"
ASKED = {"host": NEW, "model": "higgs-tts-3", "requests": 3, "seconds": 4.2}


def judge(spoken=None, reached=None):
    return judge_marked_text(spoken, loss_table(), COMMAND), judge_availability(reached or {})


def test_without_a_key_nothing_is_claimed_about_the_service():
    marked, always = judge()
    assert marked.verdict == always.verdict == "not run here"
    assert COMMAND in marked.reading and "our own server, and not the service" in marked.reading
    assert "4 of the seven tags, and none for 3" in marked.reading
    assert marked.evidence["tags lost, as documented"] == "`<emph>`, `<pitch_rising>`, `<pitch_falling>`"
    assert "No endpoint was asked" in always.reading and always.evidence == {"endpoints asked": "0"}


@pytest.mark.parametrize(
    "host", ["http://127.0.0.1:8000/v1", "https://api.notboson.ai/v1", "https://boson.ai.example/v1"]
)
def test_another_server_says_nothing_about_the_service(host):
    marked, _ = judge({**ASKED, "host": host})
    assert marked.verdict == "not run here" and host in marked.reading


def test_with_a_key_it_is_reproduced_but_for_the_tags_that_are_lost():
    marked, _ = judge(ASKED)
    assert marked.verdict == "reproduced, but" and marked.evidence["asked"] == "3 requests, 4.2 s of audio"
    assert judge({**ASKED, "seconds": 0})[0].verdict == "refuted"
    kept = [row for row in loss_table() if row["reach"] != "lost"]
    assert judge_marked_text(ASKED, kept, COMMAND).verdict == "reproduced"


@pytest.mark.parametrize(
    ("answers", "verdict", "said"),
    [
        ((True, True), "not run here", "answered once"),
        ((False, True), "refuted", f"{OLD} did not answer"),
        ((False, False), "not run here", "this machine's network"),
    ],
)
def test_always_is_refuted_by_one_silence_but_not_by_a_missing_network(answers, verdict, said):
    reached = {OLD: (answers[0], "no connection"), NEW: (answers[1], "answers with status 401")}
    _, always = judge(reached=reached)
    assert always.verdict == verdict and said in always.reading and set(always.evidence) == {OLD, NEW}


def test_the_figure_says_its_medians():
    rows = [
        {"words": words, "way": way, "audio": 1.0, "first": [0.01, 0.02, 0.03], "last": [0.02, 0.04 * words, 0.9]}
        for words in (3, 30) for way in ("streamed", "whole")
    ]  # fmt: skip
    figure = first_sound_curves(rows, "Ours")
    assert figure.png.startswith(b"\x89PNG") and figure.alt.startswith("Ours, median.")
    assert "first byte, streamed: 20 ms at 3 words, 20 ms at 30 words" in figure.alt
    assert "last byte, whole: 120 ms at 3 words, 900 ms at 30 words" in figure.alt
