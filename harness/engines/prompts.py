"""What a model that reads its text as a prompt is told about the tags."""

EXPLANATION = (
    "The text holds tags in angle brackets. They say how to speak; never speak a tag itself. "
    "<emph>: emphasise the next word. "
    "<pause_short>: be silent for about 0.5 s. "
    "<pause_long>: be silent for about 1.5 s. "
    "<pitch_high>: speak the next word at a higher pitch. "
    "<pitch_low>: speak the next word at a lower pitch. "
    "<pitch_rising>: let the pitch rise at the end of this phrase. "
    "<pitch_falling>: let the pitch fall at the end of this phrase."
)
