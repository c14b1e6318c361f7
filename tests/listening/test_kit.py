"""Which trials are chosen, and what the two files hold."""

import base64
import io
import json
from collections import Counter

import numpy as np
import pytest
import soundfile
from helpers import command

from harness.audio import Audio, data_uri, write_wav
from harness.errors import DataError
from harness.listening.kit import KEY, PAGE, page, read_key, read_run, write_kit
from harness.listening.trials import SAME, Kind, ask_pair, candidates, choose
from harness.records import Arm, Clip, Judgement, Outcome, Verdict, digest
from harness.tagged import Tag, TaggedText

HIGHER = "In which clip does the voice go up more, or down less, at the end of"
TEXTS = [
    "We <emph> guarantee thirty percent savings.",
    "Please listen to <pause_short> the second part.",
    "Nobody <pitch_high> expected rain today.",
    "Give us your <pitch_low> Tuesday, not <pause_long> your money.",
    "Are you <pitch_rising> coming home, or staying here?",
    "All of it is <emph> true & <emph> new.",
]


def make_run(folder, texts=TEXTS, engines=("one", "two"), verdict=Verdict.HIT, seconds=0.3, rate=16000):
    """A finished run folder with short tones for clips; the tagged one of a sentence is higher."""
    (folder / "clips").mkdir(parents=True)
    clips, outcomes = [], []
    for engine in engines:
        for number, text in enumerate(texts):
            tagged = TaggedText.parse(text)
            for arm, words in ((Arm.PLAIN, tagged.stripped()), (Arm.TAGGED, tagged)):
                name = digest(engine, number, arm.value)
                hertz = 200 + 10 * number + (100 if arm is Arm.TAGGED else 0)
                tone = 0.2 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)
                write_wav(folder / "clips" / f"{name}.wav", Audio(tone.astype("float32"), rate))
                clips.append(Clip(
                    id=name, engine=engine, tagger="gold" if arm is Arm.TAGGED else "", sentence=f"s{number}", arm=arm,
                    text=words.format(), dialect="ssml", voice="v", seed=0, audio=f"clips/{name}.wav", sample_rate=rate,
                    seconds=seconds,
                ))  # fmt: skip
            outcomes += [
                Outcome(engine=engine, tagger="gold", sentence=f"s{number}", arm=Arm.TAGGED, slot=slot, tag=tag, verdict=verdict)
                for slot, tag in tagged.tags
            ]  # fmt: skip
    (folder / "clips.jsonl").write_text("".join(clip.line() + "\n" for clip in clips))
    (folder / "outcomes.jsonl").write_text("".join(outcome.line() + "\n" for outcome in outcomes))
    (folder / "experiment.json").write_text(json.dumps({"experiment": {"name": "small"}}))
    (folder / "manifest.json").write_text("{}")
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("run") / "run")


def kit_of(page_path):
    return json.loads(page_path.read_text().split('id="kit">')[1].split("</script>")[0])


def test_which_trials_the_clips_allow(run):
    found = {(c.kind, c.tag, c.slot) for c in read_run(run)[1] if c.tagged.engine == "one"}
    assert {name for name in found if name[0] is Kind.WORD} == {
        (Kind.WORD, Tag.EMPH, 1),
        (Kind.WORD, Tag.PITCH_HIGH, 1),
    }, "a clip with two tags is no clip for 'which word'"
    assert {name for name in found if name[0] is not Kind.WORD} == {
        (Kind.PAIR, Tag.EMPH, 1), (Kind.PAUSE, Tag.PAUSE_SHORT, 3), (Kind.PAIR, Tag.PITCH_HIGH, 1),
        (Kind.PAIR, Tag.PITCH_LOW, 3), (Kind.PAUSE, Tag.PAUSE_LONG, 5), (Kind.CONTOUR, Tag.PITCH_RISING, 2),
        (Kind.PAIR, Tag.EMPH, 4), (Kind.PAIR, Tag.EMPH, 6),
    }  # fmt: skip


@pytest.mark.parametrize(
    "text", ["<pause_short> At the start.", "At the end. <pause_long>", "After all. <emph>", "And <emph> so", "One"]
)
def test_places_where_there_is_nothing_to_hear(tmp_path, text):
    run = make_run(tmp_path / "run", [text], ["one"])
    found = read_run(run)[1]
    assert bool(found) == (text == "And <emph> so")


def test_tags_that_an_engine_cannot_express_are_not_asked(tmp_path):
    run = make_run(tmp_path / "run", verdict=Verdict.NOT_EXPRESSIBLE)
    with pytest.raises(DataError, match="no clip that a listener could be asked about"):
        write_kit(run)


def test_a_text_of_two_taggers_is_taken_once(run):
    clips = [Clip.model_validate_json(line) for line in (run / "clips.jsonl").read_text().splitlines()]
    again = [clip.model_copy(update={"tagger": "rules"}) for clip in clips if clip.arm is Arm.TAGGED]
    assert len(candidates(clips + again)) == len(candidates(clips))


def test_the_twin_has_the_seed_of_the_tagged_clip(run):
    clips = [Clip.model_validate_json(line) for line in (run / "clips.jsonl").read_text().splitlines()]
    plain = next(clip for clip in clips if clip.arm is Arm.PLAIN)
    other = plain.model_copy(update={"id": "0" * 16, "seed": 1})
    tagged = next(clip for clip in clips if clip.arm is Arm.TAGGED and clip.sentence == plain.sentence)
    assert {c.plain.id for c in candidates([other, plain, tagged]) if c.plain} == {plain.id}


def test_trials_are_balanced_over_tags_engines_and_sides(tmp_path):
    run = make_run(tmp_path / "run", [f"Word {n} is <emph> here {n}." for n in range(20)] + TEXTS[1:3])
    trials = [one.trial for one in choose(read_run(run)[1], 40)]
    kinds = Counter(one.kind for one in trials)
    assert len(trials) == 40 and kinds[Kind.CATCH] == 4
    cells = Counter((one.engine, one.tag, one.kind) for one in trials if one.kind is not Kind.CATCH)
    others = ((Tag.PITCH_HIGH, Kind.PAIR), (Tag.PAUSE_SHORT, Kind.PAUSE))
    assert all(cells[engine, tag, kind] == 1 for engine in ("one", "two") for tag, kind in others)
    assert abs(cells["one", Tag.EMPH, Kind.PAIR] - cells["two", Tag.EMPH, Kind.PAIR]) <= 1
    for engine in ("one", "two"):
        sides = Counter(t.right for t in trials if (t.engine, t.tag, t.kind) == (engine, Tag.EMPH, Kind.PAIR))
        assert abs(sides[0] - sides[1]) <= 1 and set(sides) == {0, 1}
    assert all(count == 1 for count in Counter((one.clips, one.kind) for one in trials).values())


def test_the_seed_decides(run, tmp_path):
    first, second = (write_kit(run, tmp_path / name, trials=8, seed=5) for name in "ab")
    assert first == second
    assert (tmp_path / "a" / PAGE).read_bytes() == (tmp_path / "b" / PAGE).read_bytes()
    assert write_kit(run, tmp_path / "c", trials=8, seed=6).kit != first.kit


def test_the_key_says_which_clip_is_tagged_and_the_page_does_not(tmp_path):
    run = make_run(tmp_path / "run", [*TEXTS, "You may go <pitch_falling> now, or later."])
    kit = write_kit(run, tmp_path, trials=40)
    assert read_key(tmp_path / KEY) == kit
    clips = {c["id"]: c for c in map(json.loads, (run / "clips.jsonl").read_text().splitlines())}
    for one in kit.trials:
        arms = [clips[name]["arm"] for name in one.clips]
        if one.kind in (Kind.PAIR, Kind.CONTOUR):
            higher = ["plain", "tagged"][one.tag is not Tag.PITCH_FALLING]
            assert arms[one.right] == higher and arms[1 - one.right] != higher
        elif one.kind is Kind.PAUSE:
            assert arms == ["plain", "tagged"] and one.right == [Tag.PAUSE_SHORT, Tag.PAUSE_LONG].index(one.tag)
        elif one.kind is Kind.CATCH:
            assert arms == ["plain", "plain"] and one.right == SAME and one.clips[0] == one.clips[1]
        else:
            text = TaggedText.parse(clips[one.clips[0]]["text"])
            assert (one.right, one.choices) == (text.tags[0][0], len(text.words))
        assert one.kind is Kind.WORD or one.choices == 3
    assert {one.tag for one in kit.trials if one.kind is Kind.CONTOUR} == {Tag.PITCH_RISING, Tag.PITCH_FALLING}
    told = json.dumps([{**one, "clips": []} for one in kit_of(tmp_path / PAGE)["trials"]])
    names = ("right", "catch", "verdict", "hit", "plain", "tagged", "gold", "slot")
    for hidden in (*clips, *names, *(tag.bare for tag in Tag)):
        assert f'"{hidden}"' not in told, hidden
    assert not any(name in (tmp_path / PAGE).read_text() for name in clips)
    for asked in kit_of(tmp_path / PAGE)["trials"]:
        assert set(asked) in (
            {"trial", "words", "clips", "kind", "question"},
            {"trial", "words", "clips", "kind", "question", "mark", "answers"},
        )
        assert asked["kind"] in ("word", "pair") and ("mark" in asked) == (asked["kind"] == "pair")
        assert not any(word in json.dumps(asked["question"]) for word in ("tagged", "plain"))


def test_the_audio_in_the_page_is_the_clip(run, tmp_path):
    kit = write_kit(run, tmp_path, trials=6)
    asked = {one["trial"]: one for one in kit_of(tmp_path / PAGE)["trials"]}
    for one in kit.trials:
        for name, uri in zip(one.clips, asked[one.trial]["clips"], strict=True):
            heard, rate = soundfile.read(io.BytesIO(base64.b64decode(uri.split(",")[1])))
            spoken, _ = soundfile.read(run / "clips" / f"{name}.wav")
            peaks = [np.argmax(np.abs(np.fft.rfft(x, 1 << 16))) * rate / (1 << 16) for x in (heard, spoken)]
            assert rate == 16000 and abs(peaks[0] - peaks[1]) < 3
            assert np.std(heard) == pytest.approx(np.std(spoken), rel=0.1), "loudness is a cue, and is left alone"


def test_a_rate_that_mp3_does_not_know_is_resampled():
    tone = np.sin(2 * np.pi * 300 * np.arange(22000) / 22000).astype("float32") * 0.5
    heard, rate = soundfile.read(io.BytesIO(base64.b64decode(data_uri(tone, 22000).split(",")[1])))
    assert rate == 24000 and len(heard) == pytest.approx(24000, abs=3000)


def test_text_cannot_end_the_script_block():
    words = ["</script><script>alert(1)</script>", "<!--", "&amp;", "\u2028"]
    text = page({"kit": "k", "trials": [{"words": words}]})
    assert text.count("<script") == text.count("</script>") == 2
    block = text.split('id="kit">')[1].split("</script>")[0]
    assert json.loads(block)["trials"][0]["words"] == words and "\u2028" not in block


@pytest.mark.parametrize(
    ("text", "slot", "tag", "question", "mark"),
    [
        ("Oh, really? Yes.", 1, Tag.EMPH, "In which clip is the word “really” more emphasised?", (1, 1)),
        ("a b c", 1, Tag.PAUSE_LONG, "Compared with clip A, what was added before “b” in clip B?", (1, 1)),
        ("a b c d e, f", 0, Tag.PITCH_RISING, f"{HIGHER} “c d e”?", (2, 4)),
        ("a b, c d", 3, Tag.PITCH_FALLING, f"{HIGHER} “d”?", (3, 3)),
        ("a b", 2, Tag.PITCH_RISING, f"{HIGHER} “b”?", (1, 1)),
        ("a -- b", 1, Tag.PITCH_HIGH, "In which clip is the word “--” spoken at a higher pitch?", (1, 1)),
    ],
)
def test_the_question_names_the_tag_in_plain_words(text, slot, tag, question, mark):
    tagged = TaggedText(text.split(), [(slot, tag)])
    assert ask_pair(tagged, slot, tag) == (question, *mark)


def test_a_test_is_not_overwritten_by_another(run, tmp_path):
    write_kit(run, tmp_path, trials=6)
    before = (tmp_path / KEY).read_bytes()
    write_kit(run, tmp_path, trials=6)
    with pytest.raises(DataError, match="another listening test"):
        write_kit(run, tmp_path, trials=6, seed=1)
    assert (tmp_path / KEY).read_bytes() == before
    write_kit(run, tmp_path, trials=6, seed=1, replace=True)
    assert (tmp_path / KEY).read_bytes() != before


def test_a_run_that_cannot_be_used(tmp_path):
    with pytest.raises(DataError, match="does not contain a finished run"):
        write_kit(tmp_path)
    run = make_run(tmp_path / "run", TEXTS[:1], ["one"])
    lines = [json.loads(line) for line in (run / "clips.jsonl").read_text().splitlines()]
    (run / "clips.jsonl").write_text(
        "".join(json.dumps({**line, "audio": "../../etc/passwd"}) + "\n" for line in lines)
    )
    with pytest.raises(DataError, match="outside the run folder"):
        write_kit(run)


def test_few_clips_give_few_trials(tmp_path):
    run = make_run(tmp_path / "run", TEXTS[:1], ["one"])
    kit = write_kit(run, trials=40)
    assert Counter(one.kind for one in kit.trials) == {Kind.WORD: 1, Kind.PAIR: 1, Kind.CATCH: 1}
    assert (run / "listening" / PAGE).exists()


def test_the_trials_on_which_detector_and_listener_disagree_most_come_first(tmp_path):
    run = make_run(tmp_path / "run", [f"We <emph> guarantee {number} percent savings." for number in range(5)], ["one"])
    lines = [Outcome.model_validate_json(line) for line in (run / "outcomes.jsonl").read_text().splitlines()]
    # ranks of the detector 1 to 5, of the listener 1, 2, 5, 4, 3
    said = [Judgement(unit="word", score=0.5, rise=rise, rose_most=0, words=5) for rise in (0, 0.1, 0.4, 0.3, 0.2)]
    judged = [
        one.model_copy(
            update={"value": float(n), "listeners": {"l": said[n], "deaf": Judgement(unit="word", reason="x")}}
        )
        for n, one in enumerate(lines)
    ]
    (run / "outcomes.jsonl").write_text("".join(one.line() + "\n" for one in judged))
    distances = {one.tagged.sentence: one.disagreement for one in read_run(run, "l")[1]}
    assert distances == {"s0": 0, "s1": 0, "s2": 0.5, "s3": 0, "s4": 0.5}
    kit = write_kit(run, tmp_path / "kit", trials=2, disagree="l")
    assert {one.sentence for one in kit.trials if one.kind is not Kind.CATCH} == {"s2", "s4"}
    with pytest.raises(DataError, match="'deaf' judged no word of this run that a detector measured"):
        write_kit(run, tmp_path / "none", disagree="deaf")
    done = command("listen", run, "--disagree", "l", "--trials", "2", "--out", tmp_path / "again", "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["trials"] == 2
