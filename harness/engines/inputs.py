"""Input formats: how a text says what is to be heard.

>>> read_input("We <emph> guarantee it.")[0].tags
((1, <Tag.EMPH: '<emph>'>),)
>>> read_input('We <break time="1s"/> guarantee it.', "ssml")[1].silence
{1: 1.0}
"""

from __future__ import annotations

from typing import Literal

from harness.engines.control.higgs_tags import read_higgs_tags
from harness.engines.control.ssml import read_ssml
from harness.engines.control.targets import Targets
from harness.tagged import TaggedText

Input = Literal["tags", "ssml", "higgs_v3"]


def read_input(text: str, how: Input = "tags") -> tuple[TaggedText, Targets | None]:
    """Read a text, and what its markup asks for.

    Parameters
    ----------
    text : str
    how : {"tags", "ssml", "higgs_v3"}
        The seven tags, SSML, or the control tags of Higgs v3.

    Returns
    -------
    TaggedText
        The words, and their tags if the format is "tags".
    Targets or None
        What other markup asks for.

    Raises
    ------
    TagError
        If it cannot be read; with line and column.
    """
    if how == "tags":
        return TaggedText.parse(text), None
    return read_ssml(text) if how == "ssml" else read_higgs_tags(text)
