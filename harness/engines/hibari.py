"""hibari: a small neural voice (7.9 MB) that runs offline. It obeys tags; with `dialect: ignore` it is a second negative control.

hibari-tts (Apache-2.0; distilled from Kokoro-82M, Apache-2.0) is nearly deterministic: only its noise component is random. So
two readings of a sentence differ far less than two takes of a speaker.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from harness.audio import Audio
from harness.engines.base import register_engine
from harness.engines.control.hibari import HibariControls
from harness.engines.neural import NeuralVoice
from harness.engines.options import check_number
from harness.errors import HarnessError
from harness.registry import Requirements

HEART = "heart"  # the voice in the package; others would be downloaded


@register_engine("hibari")
class HibariEngine(NeuralVoice):
    """The speech engine hibari.

    Parameters
    ----------
    voice : str
        "heart", which is in the package, or a voice that was downloaded before (``hibari --voice NAME``).
    speed : float
        Relative pace, 0.5 to 2; 1 is the pace of the voice that it was distilled from.
    dialect : {"controls", "ignore", "prompted"}
        "controls" sets lengths, pauses, F0 and level as the tags ask (see `harness.engines.control`). "ignore" leaves the tags out.
        "prompted" leaves them in the text, and hibari reads their names aloud.
    """

    name = "hibari"
    package = "hibari-tts"
    requirements: ClassVar[Requirements] = Requirements(packages=("hibari",))

    def __init__(self, voice: str = HEART, speed: float = 1.0, dialect: str = "controls") -> None:
        super().__init__(voice, dialect, HibariControls.doses)
        check_number("speed", speed)
        if not 0.5 <= speed <= 2:
            raise HarnessError(f"hibari cannot speak at {speed} times its pace", remedy="choose 0.5 to 2")
        self.speed = float(speed)

    def _read(self, text: str, seed: int) -> Audio:
        samples = np.asarray(self._voice(text, speed=self.speed, seed=seed), dtype=np.float32)
        return Audio(samples, self._voice.sample_rate)

    @cached_property
    def _controls(self) -> HibariControls:
        return HibariControls(self._voice, self.speed)

    @cached_property
    def _voice(self) -> Any:
        import hibari
        from hibari.voices import VOICES, voice_path

        try:
            voice_path(self.default_voice, download_missing=False)
        except Exception as error:  # hibari has no exception class of its own
            known = ", ".join(VOICES)
            raise HarnessError(f"hibari's voice {self.default_voice!r} is not on this machine",
                               remedy=f"choose {HEART}, or download one of {known}") from error  # fmt: skip
        return hibari.Hibari(self.default_voice)
