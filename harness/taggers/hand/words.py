"""Word lists of the hand features, written with sight of the annotation guide and the training examples only."""

from __future__ import annotations

from types import MappingProxyType


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


NUMBERS = _words(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen "
    "nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion dozen"
)
QUESTION = _words("what who whom whose why how when where which")
CONTRACTED_NOT = _words("don't won't isn't can't doesn't aren't wouldn't didn't couldn't never not")
AUXILIARIES = _words(
    "is are was were am be been being do does did can could will would shall should may might must has have had "
    "isn't aren't don't won't can't"
)
FIRST_PERSON = _words("i i'm i'll i've i'd")
CONTRASTED_PRONOUNS = _words("ours yours mine us you me we they them i")
HARDLY_EMPHASISED = _words("a an the of to")

# Classes of words, in the order in which they are tried; a word in none of them has the class of its part of speech.
CLASSES = MappingProxyType({
    "negation": CONTRACTED_NOT | _words("no nothing nobody none neither nor without"),
    "number": NUMBERS,  # and everything that starts with a digit, after a currency sign or not
    "quantity": _words(
        "every everyone everything everybody each all both any anyone anything anybody no nobody none nothing never always only "
        "twice once thrice half double triple single most least zero free whole entire full exactly first last same own ever "
        "another again enough much more less few many"
    ),
    "promise": _words(
        "guarantee guaranteed guarantees refund refunds refunded promise promised promises commit committed ensure swear vow keep "
        "cover covers deliver deserve protect protects pay replace fix"
    ),
    "time": _words(
        "today tonight tomorrow now yesterday monday tuesday wednesday thursday friday saturday sunday weekly daily hourly "
        "instantly immediately forever"
    ),
    "condition": _words("if when since before after once because until unless while as by should suppose although though where"),
    "conjunction": _words("and but or so yet then"),
    "question": QUESTION,
    "auxiliary": AUXILIARIES,
    "pronoun": _words(
        "i you he she we they it me us them your our my their his her its i'm you're we're they're i'll you'll we'll i've you've "
        "we've i'd you'd we'd it's that's that this these those here's there's let's"
    ),
    "focus": _words("only just even exactly still almost nearly about at least than as not"),
})  # fmt: skip
STRONG = ("number", "quantity", "promise", "time")  # classes that carry the point of a sentence, by the guide
FOCUSING = ("than", "only", "just", "even", "not", "instead", "rather", "until", "but")

EXCITED = _words(
    "imagine great good amazing wow finally congratulations look fantastic surprise picture happy best wonderful incredible "
    "brilliant perfect hooray yes welcome cheers bravo excellent here's guess get just suddenly even love"
)
QUIET = _words(
    "honestly frankly admittedly fair between know admit confess sorry sure granted truly record quietly understand true secret "
    "truth respect personally myself hide right can't apologize small probably say won't honest plain"
)
CLOSING = _words(
    "never no not won't anyone again final period ever end only that and"
)  # words of a sentence that closes a matter

# Penn Treebank tags, in groups.
PARTS_OF_SPEECH = MappingProxyType({
    "CD": "number", "$": "number", "NN": "noun", "NNS": "noun", "NNP": "name", "NNPS": "name", "VB": "verb", "VBZ": "verb",
    "VBP": "verb", "VBD": "verb", "VBG": "verb", "VBN": "verb", "JJ": "adjective", "JJR": "comparative", "JJS": "superlative",
    "RB": "adverb", "RBR": "comparative", "RBS": "superlative", "RP": "particle", "PRP": "personal", "PRP$": "possessive",
    "DT": "determiner", "PDT": "determiner", "IN": "preposition", "TO": "to", "MD": "modal", "CC": "and", "WP": "wh", "WDT": "wh",
    "WRB": "wh", "WP$": "wh", "EX": "there", "UH": "interjection",
})  # fmt: skip
