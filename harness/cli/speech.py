"""`harness say`, for one text and for many, and `harness align`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.output import Force, print_json, progress_bar

if TYPE_CHECKING:
    from harness.engines.base import SpeechEngine
    from harness.engines.batch import Batch
    from harness.errors import HarnessError


class Input(str, Enum):
    """Formats of the texts to speak; see `harness.engines.inputs`."""

    TAGS = "tags"
    SSML = "ssml"
    HIGGS_V3 = "higgs_v3"


# Signals of a scheduler and of a closed terminal; they end a command like Ctrl-C.
ENDINGS = tuple(number for number in signal.Signals if number.name in ("SIGTERM", "SIGHUP"))


@contextmanager
def leaving_at_once(kept: str = "nothing was written") -> Iterator[None]:
    """Let a signal end the process at once. An engine that calls back from C, such as espeak, would swallow the exception."""

    def leave(number: int, _: object) -> None:
        how = "interrupted" if number == signal.SIGINT else f"ended by {signal.Signals(number).name}"
        with suppress(OSError):  # the terminal may be gone
            os.write(2, f"harness: {how}; {kept} (run the same command again)\n".encode())
        os._exit(128 + number)

    wanted = [number for number in (signal.SIGINT, *ENDINGS) if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, leave) for number in wanted}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def say(
    text: Annotated[
        str | None,
        typer.Argument(
            metavar="[TEXT]",
            help='Tagged text, for instance `"We <emph> guarantee 30% savings"`; standard input if not given, or `-`.',
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Audio file to write: .wav, .flac, .ogg or .mp3; speech.wav by default. With --jsonl, the folder.",
        ),
    ] = None,
    engine: Annotated[str, typer.Option(help="Name of the engine; `harness doctor` lists them.")] = "espeak",
    voice: Annotated[str | None, typer.Option(help="Voice of the engine; its default voice if not given.")] = None,
    option: Annotated[list[str] | None, typer.Option(help="Option of the engine, KEY=VALUE; may be repeated.")] = None,
    seed: Annotated[int, typer.Option(help="Random seed, for engines that sample.")] = 0,
    how: Annotated[
        Input,
        typer.Option("--input", help="What the text is: the seven `tags`, `ssml`, or control tags of `higgs_v3`."),
    ] = Input.TAGS,
    obey: Annotated[
        bool,
        typer.Option(
            "--obey", help="Let the engine speak plain text, and edit its sound to follow the tags: engine obey:NAME."
        ),
    ] = False,
    jsonl: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help='Speak each line {"id", "text"} of a file, or of standard input (`-`), to OUT/ID.wav.'
        ),
    ] = None,
    force: Force = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print word times and lost tags as JSON.")] = False,
) -> None:
    """Speak tagged text to an audio file, or many texts to a folder.

    Markdown asterisks, list and heading marks before the text, and emoji are not spoken by espeak, piper and hibari; other
    engines get them as they are. Everything else is read as written, including labels such as `SPEAKER 1:`: remove them
    first. Text may begin with a minus or a dash, as in `"-5 degrees"`; put `--` before a single word such as `-really`.

    Other markup (`<break/>`, `[pause]`) is an error, unless `--input` names it; a backslash in front of it keeps it as text.

    hibari obeys all tags, and so does Piper with `--option dialect=controls`.

    Example: `harness say --engine piper --option dialect=prompted "We <emph> guarantee it"` reads the tag aloud.

    In a pipe: `echo "We guarantee 30% savings" | harness tag | harness say --engine hibari -o out.wav`. Many texts:
    `harness say --jsonl data/examples/heldout.jsonl --engine hibari --out clips`. Files that are already there are kept, and a bad line
    costs only itself.
    """
    from harness.engines import make_engine
    from harness.engines.base import ENGINES, check_engine
    from harness.errors import DataError
    from harness.outputs import files_among
    from harness.reading import key_value

    if obey:
        engine = f"obey:{engine}"
    if jsonl is not None and text is not None:
        raise DataError("expected either a text or --jsonl, got both", remedy="leave one out")
    if jsonl is not None and out is None:
        raise DataError("--jsonl needs a folder for the files", remedy="name one: --out clips")
    types = ENGINES.option_types(engine) if option else {}
    options = dict(key_value(one, types) for one in option or [])
    inputs = files_among(options.values())
    if jsonl is not None and out is not None:
        chosen = make_engine(engine, **options)
        check_engine(chosen, engine)
        _say_lines(jsonl, out, chosen, engine, options, voice=voice, seed=seed, how=how, force=force, as_json=as_json)
    else:
        _say_one(text, out or Path("speech.wav"), engine, options, inputs, voice=voice, seed=seed, how=how, force=force,
                 as_json=as_json)  # fmt: skip


def _say_one(
    text: str | None,
    out: Path,
    engine: str,
    options: dict[str, Any],
    inputs: list[Path],
    *,
    voice: str | None,
    seed: int,
    how: Input,
    force: bool,
    as_json: bool,
) -> None:
    from harness.audio import format_of, write_audio
    from harness.engines import SpeechRequest, make_engine
    from harness.engines.base import check_engine, lost_tags, speak
    from harness.engines.batch import left_out
    from harness.engines.inputs import read_input
    from harness.errors import DataError, HarnessError
    from harness.outputs import check_output

    if str(out) == "-":
        raise DataError("audio cannot be written to standard output", remedy="name a file: -o speech.wav")
    place = "standard input" if text in (None, "-") else None
    try:
        tagged, targets = read_input(_standard_input() if place else text or "", how.value)
    except HarnessError as error:
        raise (error.at(place) if place else error) from error
    format_of(out)
    check_output(out, inputs=inputs, force=force)
    chosen = make_engine(engine, **options)
    check_engine(chosen, engine)
    request = SpeechRequest(tagged, voice, seed, word_times=as_json, targets=targets)
    with leaving_at_once():
        speech = speak(chosen, request, engine)
        lost, others = lost_tags(chosen, tagged), list(targets.lost if targets else ())
    write_audio(out, speech.audio)
    if as_json:
        words = [word.model_dump() for word in speech.words or ()]
        print_json({"audio": str(out), "seconds": round(speech.audio.seconds, 3), "sample_rate": speech.audio.sample_rate,
                    "words": words, "lost": [[slot, tag.value] for slot, tag in lost], "left_out": others})  # fmt: skip
        return
    typer.echo(f"{out}: {speech.audio.seconds:.2f} s at {speech.audio.sample_rate} Hz")
    if lost or others:
        what = f"not expressible in the dialect {chosen.dialect!r}, left out" if lost else "left out"
        typer.echo(f"{what}: {', '.join(left_out(chosen, tagged, targets))}")
    if notice := getattr(chosen, "notice", ""):
        typer.echo(f"note: {notice}", err=True)


def _standard_input() -> str:
    """Return the text on standard input."""
    from harness.errors import DataError
    from harness.reading import is_json_object

    if sys.stdin.isatty():
        raise DataError(
            "there is nothing to say", remedy='give a text, such as "We <emph> guarantee it", or pipe one in'
        )
    content = sys.stdin.buffer.read()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError("not UTF-8", line=line, remedy="save the text as UTF-8") from error
    first = next((line for line in text.splitlines() if line.strip()), "")
    if is_json_object(first):
        raise DataError("expected a text, but this is JSON", remedy="speak JSON Lines with --jsonl - --out FOLDER")
    return text


def _say_lines(
    source: str,
    folder: Path,
    engine: SpeechEngine,
    name: str,
    options: dict[str, Any],
    *,
    voice: str | None,
    seed: int,
    how: Input,
    force: bool,
    as_json: bool,
) -> None:
    from harness.engines.batch import LIST, speak_lines
    from harness.errors import DataError
    from harness.outputs import check_output
    from harness.paths import is_file
    from harness.reading import unreadable

    if folder.exists() and not folder.is_dir():
        raise DataError("expected a folder, but this is a file", path=folder, remedy="choose another name")
    place, total = "standard input" if source == "-" else source, None
    try:
        if is_file(source):  # a pipe can be read only once
            with Path(source).open("rb") as counted:
                total = sum(1 for line in counted if line.strip())
        lines = sys.stdin.buffer if source == "-" else Path(source).open("rb")  # noqa: SIM115 - closed on exit
    except (OSError, ValueError) as error:
        raise unreadable(source, error) from error
    folder.mkdir(parents=True, exist_ok=True)
    check_output(folder / LIST, inputs=[] if source == "-" else [source], force=True)
    with progress_bar("speaking") as update, leaving_at_once("the files that are finished are kept"):

        def report(batch: Batch, error: HarnessError | None) -> None:
            if error:
                typer.echo(f"harness: {error}", err=True)
            update(len(batch.spoken) + len(batch.kept) + len(batch.failed), total)

        batch = speak_lines(lines, place, engine, name, folder, voice=voice, seed=seed, options=options, how=how.value,
                            force=force, report=report)  # fmt: skip
    if not (batch.spoken or batch.kept or batch.failed):
        raise DataError(
            "there is nothing to say: no lines", path=place, remedy='write lines such as {"id": "s1", "text": "We go."}'
        )
    if as_json:
        print_json({"folder": str(folder), "list": str(folder / LIST), "spoken": batch.spoken, "kept": batch.kept,
                    "failed": [error.fields() for error in batch.failed]})  # fmt: skip
    else:
        typer.echo(f"{folder}: {len(batch.spoken)} spoken, {len(batch.kept)} already there, {len(batch.failed)} failed")
    if notice := getattr(engine, "notice", ""):
        typer.echo(f"note: {notice}", err=True)
    if batch.failed:
        raise typer.Exit(1)


def align(
    audio: Annotated[Path, typer.Argument(metavar="AUDIO", help="WAV, FLAC, OGG or MP3; any rate, mono or stereo.")],
    transcript: Annotated[
        Path | None,
        typer.Argument(metavar="[TRANSCRIPT]", help="Text file or TextGrid with the spoken words; tags are ignored."),
    ] = None,
    text: Annotated[str | None, typer.Option(help="The words themselves, instead of a file.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Praat TextGrid to write; AUDIO with .TextGrid by default.")
    ] = None,
    force: Force = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the word times as JSON.")] = False,
) -> None:
    """Find each word of a known text in a clip, and write a Praat TextGrid (tier `words`).

    Numbers, units and abbreviations may be written: for `$2.5M` or `Q3` several readings are tried, and the one that fits the
    audio is taken.

    Recordings may last up to an hour. If the text of a long one does not fit, the error says from where on.

    A wrong text may be aligned all the same. The summary, and `fit` in the JSON, give the share of the words that fit the sound; a
    warning says if it is so low that the text is probably not what was said.

    Example: `harness say "We guarantee it" -o x.wav && harness align x.wav --text "We guarantee it"`
    """
    from harness.audio import read_audio
    from harness.errors import DataError, HarnessError
    from harness.outputs import check_output
    from harness.paths import is_file
    from harness.prosody.align import align as align_words
    from harness.prosody.fit import DOUBTFUL, clip_fit
    from harness.prosody.textgrid import read_transcript, write_textgrid
    from harness.reading import is_json_object
    from harness.tagged import TaggedText

    if (transcript is None) == (text is None):
        raise HarnessError("expected either a TRANSCRIPT file or --text with the words")
    if transcript is not None:
        text = read_transcript(transcript)
    if is_json_object(text or ""):
        raise DataError("expected the spoken words, but this is a JSON object", path=transcript or "--text",
                        remedy="give its text only")  # fmt: skip
    try:
        words = TaggedText.parse(text or "").words
    except HarnessError as error:
        raise error.at(transcript or "--text") from error
    if not is_file(audio):  # the error of read_audio would mention a manifest
        raise DataError("audio file is missing, or not a file", path=audio, remedy="check the path")
    target = out or audio.with_suffix(".TextGrid")
    check_output(target, inputs=[audio, *([transcript] if transcript else [])], force=force)
    clip = read_audio(audio)
    times = align_words(clip, words)
    fit = clip_fit(clip, times)
    write_textgrid(target, times, clip.seconds)
    if fit < DOUBTFUL:
        typer.echo(f"warning: only {fit:.0%} of the words fit the sound (of a right text, {DOUBTFUL:.0%} or more): "
                   "check that text and clip belong together", err=True)  # fmt: skip
    if as_json:
        print_json({"textgrid": str(target), "seconds": round(clip.seconds, 3), "fit": round(fit, 3),
                    "words": [word.model_dump() for word in times]})  # fmt: skip
    else:
        typer.echo(f"{target}: {len(times)} words in {clip.seconds:.2f} s; {fit:.0%} of them fit the sound")
