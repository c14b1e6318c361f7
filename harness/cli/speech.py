"""`harness say` and `harness align`."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.output import Force, print_json

# Signals of a scheduler and of a closed terminal; they end a command like Ctrl-C.
ENDINGS = tuple(number for number in signal.Signals if number.name in ("SIGTERM", "SIGHUP"))


@contextmanager
def leaving_at_once() -> Iterator[None]:
    """Let a signal end the process at once. An engine that calls back from C, such as espeak, would swallow the exception."""

    def leave(number: int, _: object) -> None:
        how = "interrupted" if number == signal.SIGINT else f"ended by {signal.Signals(number).name}"
        with suppress(OSError):  # the terminal may be gone
            os.write(2, f"harness: {how}; nothing was written (run the same command again)\n".encode())
        os._exit(128 + number)

    wanted = [number for number in (signal.SIGINT, *ENDINGS) if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, leave) for number in wanted}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def say(
    text: Annotated[str, typer.Argument(help='Tagged text, for instance `"We <emph> guarantee 30% savings"`.')],
    out: Annotated[Path, typer.Option("--out", "-o", help="Audio file to write: .wav, .flac, .ogg or .mp3.")] = Path(
        "speech.wav"
    ),
    engine: Annotated[str, typer.Option(help="Name of the engine; `harness doctor` lists them.")] = "espeak",
    voice: Annotated[str | None, typer.Option(help="Voice of the engine; its default voice if not given.")] = None,
    option: Annotated[list[str] | None, typer.Option(help="Option of the engine, KEY=VALUE; may be repeated.")] = None,
    seed: Annotated[int, typer.Option(help="Random seed, for engines that sample.")] = 0,
    force: Force = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print word times and lost tags as JSON.")] = False,
) -> None:
    """Speak tagged text to an audio file.

    Markdown asterisks, list and heading marks before the text, and emoji are not spoken by espeak, piper and hibari; other
    engines get them as they are. Everything else is read as written, including labels such as `SPEAKER 1:`: remove them
    first. Text may begin with a minus or a dash, as in `"-5 degrees"`; put `--` before a single word such as `-really`.

    Other markup (`<break/>`, `[pause]`) is an error; a backslash in front of it keeps it as text.

    hibari obeys all tags, and so does Piper with `--option dialect=controls`.

    Example: `harness say --engine piper --option dialect=prompted "We <emph> guarantee it"` reads the tag aloud.
    """
    from harness.audio import format_of, write_audio
    from harness.engines import SpeechRequest, make_engine
    from harness.engines.base import ENGINES, check_engine, lost_tags, speak
    from harness.errors import DataError
    from harness.outputs import check_output, files_among
    from harness.reading import key_value
    from harness.tagged import TaggedText

    if str(out) == "-":
        raise DataError("audio cannot be written to standard output", remedy="name a file: -o speech.wav")
    tagged = TaggedText.parse(text)
    format_of(out)
    types = ENGINES.option_types(engine) if option else {}
    options = dict(key_value(one, types) for one in option or [])
    check_output(out, inputs=files_among(options.values()), force=force)
    chosen = make_engine(engine, **options)
    check_engine(chosen, engine)
    with leaving_at_once():
        speech = speak(chosen, SpeechRequest(tagged, voice, seed, word_times=as_json), engine)
        lost = lost_tags(chosen, tagged)
    write_audio(out, speech.audio)
    if as_json:
        words = [word.model_dump() for word in speech.words or ()]
        print_json({"audio": str(out), "seconds": round(speech.audio.seconds, 3), "sample_rate": speech.audio.sample_rate,
                    "words": words, "lost": [[slot, tag.value] for slot, tag in lost]})  # fmt: skip
        return
    typer.echo(f"{out}: {speech.audio.seconds:.2f} s at {speech.audio.sample_rate} Hz")
    if lost:
        names = ", ".join(f"{tag} at slot {slot} ({why})" for (slot, tag), why in lost.items())
        typer.echo(f"not expressible in the dialect {chosen.dialect!r}, left out: {names}")
    if notice := getattr(chosen, "notice", ""):
        typer.echo(f"note: {notice}", err=True)


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
