"""An engine: espeak reads the plain words, and this class cuts the pauses into the sound."""

from typing import ClassVar

from harness.engines import Speech, SpeechRequest, make_engine, register_engine
from harness.prosody.edits import add_silence
from harness.registry import Requirements
from harness.tagged import Tag

# Seconds of silence to add. The detector hears 0.15 s to 0.7 s as a short pause, 0.7 s or more as a long one.
SECONDS = {Tag.PAUSE_SHORT: 0.4, Tag.PAUSE_LONG: 1.0}


@register_engine("pausing")
class PausingEngine:
    """Speaks with espeak and adds the pauses itself."""

    name = "pausing"
    # How the tags are written into the text that a voice reads: "ssml" (elements), "prompted" (the tags as they are), "ignore" (not
    # at all: plain words), or "controls" (the class changes lengths and F0 itself).
    dialect = "ignore"
    # The tags that this class realises whatever the dialect writes. All others are reported as not expressible.
    expressible = frozenset(SECONDS)
    # Does the sound stay the same when the seed changes? If not, the scores are compared with the engine's own spread.
    deterministic = True
    # What `harness doctor` looks for, such as packages=("torch",) or key="MY_API_KEY".
    requirements: ClassVar[Requirements] = Requirements(packages=("espeakng_loader",))

    def __init__(self, scale: float = 1.0) -> None:
        """Take the options: `--option scale=0.8`."""
        self.scale, self.inner = scale, make_engine("espeak")
        self.default_voice = self.inner.default_voice
        # Part of every clip's id: change it when the sound changes.
        self.revision = f"pausing {scale} over {self.inner.revision}"

    def voices(self) -> list[str]:
        """Return the names that `--voice` takes."""
        return self.inner.voices()

    def speak(self, request: SpeechRequest) -> Speech:
        """Speak the words, then add silence before the word of each pause tag, from the last to the first."""
        # request.text.words: ("We", "guarantee", "savings"); request.text.tags: ((1, Tag.PAUSE_SHORT),), which is before "guarantee".
        # A tag on slot len(words) is at the end of the text.
        plain = self.inner.speak(SpeechRequest(request.text.stripped(), request.voice, request.seed, word_times=True))
        audio, words = plain.audio, plain.words or ()
        for slot, tag in reversed(request.text.tags):
            if tag in SECONDS:
                at = words[slot].start if slot < len(words) else audio.seconds
                audio = add_silence(audio, at, SECONDS[tag] * self.scale)
        return Speech(audio)  # an Audio(samples, sample_rate): float32 from -1 to 1, one channel
