"""First uses of glossary terms are linked: once a page, in running text only."""

import pytest
from docutils import nodes
from docutils.core import publish_doctree
from sphinx import addnodes

from harness.publish.glossary_links import EVERYDAY, link, terms


def linked(rst):
    document = publish_doctree(rst, settings_overrides={"report_level": 5})
    link(document, "notebooks/x")
    return [(n["reftarget"], n.astext()) for n in document.findall(addnodes.pending_xref)], document.astext()


def test_the_first_use_is_linked_and_the_text_stays():
    found, text = linked("A slot is a place. Another slot, and LoRA with an Adapter.")
    assert found == [("slot", "slot"), ("LoRA", "LoRA"), ("adapter", "Adapter")]
    assert text == "A slot is a place. Another slot, and LoRA with an Adapter."


def test_plurals_count_as_uses_and_the_longest_term_wins():
    found, _ = linked("Two slots. A slot model answers; a slot does not.")
    assert found == [("slot", "slots"), ("slot model", "slot model")]


def test_a_line_may_end_within_a_term():
    assert linked("A slot\nmodel answers.")[0] == [("slot model", "slot\nmodel")]


@pytest.mark.parametrize(
    "rst",
    [
        "Slot\n====\n\nNothing.",
        "``slot``",
        "`slot <https://x.org>`_",
        "==== ====\nslot x\n==== ====\n1    2\n==== ====",
        "timeslot, slot-like",
    ],
)
def test_titles_code_links_tables_and_parts_of_words_are_left_alone(rst):
    assert linked(rst)[0] == []


def test_what_a_page_links_itself_is_not_linked_again():
    document = publish_doctree("A slot.")
    own = addnodes.pending_xref("", nodes.inline("", "slot"), reftype="term", reftarget="slot")
    document.append(nodes.paragraph("", "", own))
    link(document, "notebooks/x")
    assert len(list(document.findall(addnodes.pending_xref))) == 1


def test_everyday_words_are_in_the_glossary_but_not_linked():
    assert not EVERYDAY & {term.lower() for term in terms()} and len(terms()) > 30
    assert linked("The word with the tag is a hit.")[0] == []
