"""`harness say`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.output import print_json


def say(
    text: Annotated[str, typer.Argument(help='Tagged text, for instance "We <emph> guarantee 30% savings".')],
    out: Annotated[Path, typer.Option("--out", "-o", help="WAV file to write.")] = Path("speech.wav"),
    engine: Annotated[str, typer.Option(help="Which engine: see `harness doctor`.")] = "espeak",
    voice: Annotated[str | None, typer.Option(help="One of the engine's voices.")] = None,
    seed: Annotated[int, typer.Option(help="For engines that draw random numbers.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print word times and lost tags as JSON.")] = False,
) -> None:
    """Speak tagged text to a WAV file."""
    from harness.audio import write_wav
    from harness.engines import SpeechRequest, make_engine
    from harness.engines.dialects import DIALECTS
    from harness.errors import DataError
    from harness.tagged import TaggedText

    if str(out) == "-":
        raise DataError("audio is not written to standard output", remedy="name a file: -o speech.wav")
    tagged = TaggedText.parse(text)
    chosen = make_engine(engine)
    speech = chosen.speak(SpeechRequest(tagged, voice, seed))
    lost = DIALECTS[chosen.dialect].lost(tagged)
    write_wav(out, speech.audio)
    if as_json:
        words = [word.model_dump() for word in speech.words or ()]
        print_json({"audio": str(out), "seconds": round(speech.audio.seconds, 3), "sample_rate": speech.audio.sample_rate,
                    "words": words, "lost": [[slot, tag.value] for slot, tag in lost]})  # fmt: skip
        return
    typer.echo(f"{out}: {speech.audio.seconds:.2f} s at {speech.audio.sample_rate} Hz")
    if lost:
        names = ", ".join(f"{tag} at slot {slot}" for slot, tag in lost)
        typer.echo(f"not expressible in the dialect {chosen.dialect!r}, left out: {names}")
