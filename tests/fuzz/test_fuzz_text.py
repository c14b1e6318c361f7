"""Tagged text, and its forms in the dialects of engines: no text may act as markup."""

import xml.etree.ElementTree as ElementTree

from attack import HOSTILE, attack, texts, words
from hypothesis import assume
from hypothesis import strategies as st

from harness.engines.dialects import DIALECTS
from harness.engines.higgs_v3 import CONTROL_TAGS
from harness.errors import TagError
from harness.tagged import TAGS, TaggedText, escape, printable, retag

pieces = st.lists(
    st.sampled_from([*HOSTILE, *(tag.value for tag in TAGS), " ", "a", "\\\\", "<Emph>", "<emph/>", "< emph>"]),
    max_size=12,
)
placed = st.lists(st.tuples(st.integers(0, 9), st.sampled_from(TAGS)), max_size=5)


def tagged(text: str, tags: list) -> TaggedText:
    found = text.split()
    return TaggedText(found, [(slot, tag) for slot, tag in tags if slot <= len(found)])


@attack("tagged text", st.one_of(pieces.map("".join), texts, st.text(max_size=40)))
def test_tagged_text(tally, folder, source):
    """It survives parsing and formatting, or an error points into it."""
    try:
        text = TaggedText.parse(source)
    except TagError as error:
        lines = source.split("\n")
        assert 1 <= error.line <= len(lines) and 1 <= error.column <= len(lines[error.line - 1])
        assert lines[error.line - 1][error.column - 1] in "<[{"
        tally.refused(error)
    else:
        assert TaggedText.parse(text.format()) == text
        assert text.format() == TaggedText.parse(text.format()).format()
        assert TaggedText.parse(retag(source, text)) == text
        tally.count("accepted")
    assert TaggedText.parse(escape(source)).words == tuple(source.split())


@attack("SSML", texts, placed, outcomes=("spoken",))
def test_ssml(tally, folder, source, tags):
    """The elements are those of the tags, whatever the words are, and the text is that of the words."""
    text = tagged(source, tags)
    root = ElementTree.fromstring(DIALECTS["ssml"].render(text))
    plain = ElementTree.fromstring(DIALECTS["ssml"].render(tagged("x " * len(text.words), tags)))
    assert root.tag == "speak"
    innocent = {element.tag for element in plain.iter()}
    assert {element.tag for element in root.iter()} <= innocent | {"emphasis", "prosody", "break"}
    allowed = set("level pitch time rate volume strength range contour".split())
    assert {name for element in root.iter() for name in element.attrib} <= allowed
    if not text.tags:
        assert [element.tag for element in root.iter()] == ["speak"]
    said = "".join("".join(root.itertext()).split())
    assert said == "".join("".join(map(printable, text.words)).split())
    tally.count("spoken")


@attack("control tags of Higgs v3", texts, placed, outcomes=("spoken",))
def test_higgs_v3(tally, folder, source, tags):
    """Only tags write control tags."""
    text = tagged(source, tags)
    rendered = DIALECTS["higgs_v3"].render(text)
    for name in CONTROL_TAGS.values():
        rendered = rendered.replace(name, "")
    assert "<|" not in rendered
    if not text.tags:
        assert "<|" not in DIALECTS["higgs_v3"].render(text)
    tally.count("spoken")


@attack("prompted tags", st.lists(words, max_size=8).map(" ".join), placed, outcomes=("spoken",))
def test_prompted(tally, folder, source, tags):
    """The prompt contains exactly the tags that were placed, unless a word is written as a tag on purpose."""
    assume(escape(source) == source)
    text = tagged(source, tags)
    found = TaggedText.parse(DIALECTS["prompted"].render(text))
    assert sorted(tag for _, tag in found.tags) == sorted(tag for _, tag in text.tags)
    assert "<" not in "".join(DIALECTS["ignore"].render(tagged("a b c", tags)))
    tally.count("spoken")
