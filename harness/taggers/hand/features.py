"""Features of each slot for the tagger `hand_features`: what a person who knows the annotation guide would look at.

Names are short sentences about the word after the slot (``word``), the gap (``gap``), the sentence that ends at the word
(``end``) and the phrase that starts there (``start``). ``rules`` is what the tagger `rules` would place: its answers are features
too. Features of two values separated by ``,`` are interactions.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.tagged import Tag, TaggedText
from harness.taggers.hand import words as lists
from harness.taggers.hand.analysis import Analysis, stem
from harness.taggers.rules import RulesTagger

Row = dict[str, float]
NEGATION = lists.CLASSES["negation"]
CONJUNCTION = lists.CLASSES["conjunction"]
CONDITION = lists.CLASSES["condition"]
PRONOUN = lists.CLASSES["pronoun"]
_QUESTIONS = ("which", "whether")
# Families of features, by the first word of their names, that each tag is decided on.
FAMILIES = {
    Tag.EMPH: ("word", "gap", "end", "start", "rules"),
    Tag.PAUSE_SHORT: ("gap", "rules"),
    Tag.PAUSE_LONG: ("gap", "rules"),
    Tag.PITCH_HIGH: ("word", "start", "rules"),
    Tag.PITCH_LOW: ("start", "rules"),
    Tag.PITCH_RISING: ("end", "rules"),
    Tag.PITCH_FALLING: ("end", "rules"),
}


def analyse(texts: Sequence[Sequence[str]]) -> tuple[list[Analysis], list[list[Row]]]:
    """Return the analysis of each text, and the features of its slots (except the last, at the end of the text)."""
    placed = RulesTagger().tag([TaggedText(words) for words in texts])
    analyses = [Analysis(words) for words in texts]
    return analyses, [slot_rows(text, rules) for text, rules in zip(analyses, placed, strict=True)]


def candidates(text: Analysis, tag: Tag) -> list[int]:
    """Return the slots at which `tag` may be placed."""
    n = len(text)
    if tag is Tag.EMPH:
        return [i for i in range(n) if text.bare[i] not in lists.HARDLY_EMPHASISED]
    if tag is Tag.PAUSE_SHORT:
        return [i for i in range(1, n) if i not in text.list_gaps]  # "commas in lists are not tagged"
    if tag is Tag.PAUSE_LONG:
        return [i for i in range(1, n) if text.mark[i - 1]]
    if tag in (Tag.PITCH_RISING, Tag.PITCH_FALLING):
        return [last for _, last in text.sentences]
    return [i for i in range(n) if _starts(text, i)]


def _starts(text: Analysis, i: int) -> str:
    """Return what starts at a word: a sentence, a clause, the rest of a clause after a conjunction, or "" for nothing."""
    first = text.clauses[text.clause[i]][0]
    if i == first:
        return "sentence" if i == text.sentences[text.sentence[i]][0] else "clause"
    return "rest" if i == first + 1 and text.bare[first] in CONJUNCTION else ""


def slot_rows(text: Analysis, rules: TaggedText) -> list[Row]:
    """Return the features of the slots before each word, only those that are not 0."""
    by_slot = rules.by_slot()
    emph = rules.slots(Tag.EMPH)
    rows = []
    for i in range(len(text)):
        row: Row = {}
        _word(text, i, row)
        _givenness(text, i, row)
        _end(text, i, row)
        _start(text, i, row)
        if i:
            _gap(text, i, row)
        for tag in by_slot.get(i, ()):
            row[f"rules {tag.bare}"] = 1
        first, last = text.sentences[text.sentence[i]]
        row["rules emph in sentence"] = any(first <= slot <= last for slot in emph)
        row["rules emph in text"] = bool(emph)
        row["rules emph first"] = emph[:1] == (i,)
        rows.append({name: float(value) for name, value in row.items() if value})
    return rows


def family(name: str) -> str:
    """Return the family of a feature."""
    return name.split(" ", 1)[0]


def _word(text: Analysis, i: int, row: Row) -> None:
    """Word i as a bearer of emphasis: its class, its neighbours, its rank among the strong and the content words."""
    kind, strong, mark = text.kind[i], text.strong[i], text.mark[i]
    sentence, clause = text.sentence[i], text.clause[i]
    (first, last), (begin, end) = text.sentences[sentence], text.clauses[clause]
    everywhere = [k for k in range(len(text)) if text.strong[k]]
    in_clause = [k for k in everywhere if begin <= k <= end]
    before, after = text.kind_at(i - 1), text.kind_at(i + 1)
    row |= {
        f"word is {kind}": 1, f"word part {text.part[i]}": 1, f"word after {before}": 1, f"word before {after}": 1,
        f"word {before},{kind}": 1, f"word {kind},{after}": 1, f"word mark {mark}": 1, f"word part, mark {text.part[i]},{mark}": 1,
        "word content": text.content[i],
        "word length": min(len(text.bare[i]), 12) / 10, f"word strong {strong}": 1,
    }  # fmt: skip
    if strong:
        row |= {
            "word first strong": i == everywhere[0], "word last strong": i == everywhere[-1],
            "word only strong": len(everywhere) == 1, "word first strong of clause": i == in_clause[0],
            "word only strong of clause": len(in_clause) == 1,
            f"word strong, last clause {strong},{clause == len(text.clauses) - 1}": 1, f"word strong, last {strong},{i == last}": 1,
        }  # fmt: skip
        numbers = [k for k in everywhere if text.part[k] == "number"]
        if strong == "number" and numbers:
            row |= {
                "word first number": i == numbers[0], "word last number": i == numbers[-1], "word only number": len(numbers) == 1,
                "word money": text.words[i][0] in "$€£", "word digits": any(map(str.isdigit, text.bare[i])),
                "word percent": "%" in text.words[i], "word second number": _follows_number(text, i),
            }  # fmt: skip
        row["word quantity without number"] = strong == "quantity" and not numbers
    else:
        row |= {
            "word weak, clause has strong": bool(in_clause), "word weak, text has strong": bool(everywhere),
            "word weak, sentence has strong": any(first <= k <= last for k in everywhere),
            "word weak, none strong": not everywhere,
        }  # fmt: skip
    content = [k for k in range(first, last + 1) if text.content[k]]
    of_clause = [k for k in content if begin <= k <= end]
    if text.content[i]:
        alone = not any(first <= k <= last for k in everywhere)
        row |= {
            "word last content": i == content[-1], "word first content": i == content[0],
            "word last content of clause": i == of_clause[-1], "word first content of clause": i == of_clause[0],
            "word only content of clause": len(of_clause) == 1, "word last content, none strong": alone and i == content[-1],
            f"word content from end {min(len(content) - 1 - content.index(i), 4)}": 1,
        }  # fmt: skip
    answered = sentence > 0 and text.types[sentence - 1] in _QUESTIONS
    row |= {
        "word last of sentence": i == last, "word last of text": i == len(text) - 1, "word first of sentence": i == first,
        "word first of text": i == 0, "word first of clause": i == begin,
        f"word clauses {min(len(text.clauses), 4)}": 1, f"word clause from end {min(len(text.clauses) - 1 - clause, 3)}": 1,
        f"word clause {min(clause, 2)} of {min(len(text.clauses), 3)}": 1, "word place": i / max(len(text) - 1, 1),
        "word place in clause": (i - begin) / max(end - begin, 1), f"word in {text.types[sentence]}": 1,
        f"word in, last {text.types[sentence]},{i == last}": 1, "word short sentence": last - first < 4,
        "word short clause": end - begin < 3, "word in answer": answered, "word first of answer": answered and i == first,
        "word last content of answer": answered and content[-1:] == [i],
        "word in answered question": text.types[sentence] in _QUESTIONS and sentence < len(text.sentences) - 1,
    }  # fmt: skip
    ends_clause = of_clause[-1:] == [i]
    negated = {"earlier clause": text.has(NEGATION, 0, begin - 1), "later clause": text.has(NEGATION, end + 1, len(text)),
               "clause before": text.has(NEGATION, begin, i - 1)}  # fmt: skip
    for where, found in negated.items():
        row[f"word negation in {where}"] = found
        row[f"word last content, negation in {where}"] = found and ends_clause
    opening = text.bare[begin]
    row |= {
        "word clause starts with negation": opening in NEGATION, "word clause starts with but": opening in ("but", "yet"),
        "word clause starts with condition": opening in CONDITION, "word clause starts with and": opening == "and",
        "word pronoun at a mark": text.bare[i] in lists.CONTRASTED_PRONOUNS and bool(mark),
    }  # fmt: skip
    for focus in lists.FOCUSING:
        row[f"word soon after {focus}"] = focus in text.bare[max(begin, i - 3) : i]
        row[f"word right after {focus}"] = i > 0 and text.bare[i - 1] == focus


def _follows_number(text: Analysis, i: int) -> bool:
    """Return whether word i continues a number: "nine fifteen", "three to five"."""
    before = i - 2 if i > 1 and text.bare[i - 1] in ("to", "and", "or") else i - 1
    return before >= 0 and text.part[before] == "number"


def _givenness(text: Analysis, i: int, row: Row) -> None:
    """Whether word i or its neighbours occur elsewhere, and whether its clause is parallel to another one."""
    stems = [stem(word) for word in text.bare]
    clause = text.clause[i]
    begin, end = text.clauses[clause]
    content = [k for k in range(begin, end + 1) if text.content[k]]
    opens = [text.bare[first] for first, _ in text.clauses]
    earlier, later = opens[clause] in opens[:clause], opens[clause] in opens[clause + 1 :]
    row |= {
        "word given": text.content[i] and stems[i] in stems[:i], "word repeated": text.content[i] and stems[i] in stems[i + 1 :],
        "word in parallel clause": earlier, "word last content of parallel clause": earlier and content[-1:] == [i],
        "word last content before parallel clause": later and content[-1:] == [i],
    }  # fmt: skip
    if i:
        row |= {
            "word after given": text.content[i - 1] and stems[i - 1] in stems[: i - 1],
            "word after repeated": text.content[i - 1] and stems[i - 1] in stems[i + 1 :],
            "word after word that recurs": text.bare[i - 1] in [*text.bare[: i - 1], *text.bare[i:]],
        }  # fmt: skip
        pairs = list(zip(text.bare[: i - 2], text.bare[1 : i - 1], strict=False))
        row["word after given pair"] = i > 1 and (text.bare[i - 2], text.bare[i - 1]) in pairs
    if i + 1 < len(text):
        row["word before recurring"] = text.content[i + 1] and stems[i + 1] in [*stems[: i + 1], *stems[i + 2 :]]


def _gap(text: Analysis, i: int, row: Row) -> None:
    """The gap before word i as a place for a pause."""
    mark, n = text.mark[i - 1], len(text)
    before, after = text.sentence[i - 1], text.sentence[i]
    here, kind = text.bare[i], text.kind[i]
    row |= {f"gap mark {mark}": 1, f"gap before {kind}": 1, f"gap after {text.kind[i - 1]}": 1, f"gap before word {here}": 1,
            f"gap mark, before {mark},{kind}": 1, f"gap mark, before word {mark},{here}": 1}  # fmt: skip
    if not mark:
        first, last = text.sentences[before]
        unbroken = not any(text.mark[first:last])
        link = here in CONDITION or here in CONJUNCTION
        row |= {"gap without mark": 1, "gap without mark, place": i / n, "gap without mark, sentence has none": unbroken,
                "gap without mark, early": i - first < 3, f"gap without mark, before {kind},{text.kind_at(i + 1)}": 1,
                f"gap without mark, word {here},{unbroken}": 1,
                f"gap without mark, link {link},{unbroken},{i - first >= 3},{last - i >= 2}": 1}  # fmt: skip
        return
    begin, end = text.clauses[text.clause[i - 1]][0], text.clauses[text.clause[i]][1]
    left, right = i - begin, end - i + 1
    for side, length in (("left", left), ("right", right)):
        row |= {
            f"gap {side} {length}": length < 3,
            f"gap {side} at most 3": length <= 3,
            f"gap {side} long": length >= 6,
        }
    opening = text.kind[begin]
    row |= {
        f"gap clause starts with {opening}": 1, f"gap mark, clause starts with {mark},{opening}": 1,
        f"gap clause starts with word {text.bare[begin]}": 1, f"gap second word {text.kind_at(i + 1)}": 1,
        f"gap before {here},{text.kind_at(i + 1)}": 1, "gap place": i / n,
        "gap quiet left": text.has(lists.QUIET, begin, i - 1), "gap quiet right": text.has(lists.QUIET, i, end),
        "gap excited left": text.bare[begin] in lists.EXCITED,
    }  # fmt: skip
    commas = [k for k in range(n) if text.mark[k] == "," and text.sentence[k] == before]
    row[f"gap commas {min(len(commas), 3)}"] = 1
    if mark == ",":
        rank = commas.index(i - 1)
        row |= {
            "gap last comma": rank == len(commas) - 1, f"gap comma {min(rank, 2)} of {min(len(commas), 3)}": 1,
            "gap opens parenthesis": right <= 4 and text.mark[end] == ",",
            "gap closes parenthesis": left <= 4 and begin > 0 and text.mark[begin - 1] == ",",
            "gap like another comma": any(k != i - 1 and text.bare[k + 1] == here for k in commas if k + 1 < n),
            "gap in list": right <= 2 and left <= 2,
        }  # fmt: skip
    if before != after:
        first, last = text.sentences[after]
        row |= {
            "gap between sentences": 1, f"gap after {text.types[before]}": 1,
            f"gap after, before {text.types[before]},{text.types[after]}": 1, "gap before short sentence": last - first < 4,
            "gap after short sentence": text.sentences[before][1] - text.sentences[before][0] < 3,
            f"gap sentence {after} of {len(text.sentences)}": len(text.sentences) < 5,
            "gap before last sentence": after == len(text.sentences) - 1,
        }  # fmt: skip
        return
    strong = [bool(word) for word in text.strong]
    subject = i + 1 if here in CONJUNCTION and i + 1 < n else i
    row |= {
        f"gap in {text.types[before]}": 1, f"gap mark, in {mark},{text.types[before]}": 1,
        "gap in only sentence": len(text.sentences) == 1, "gap strong left": any(strong[begin:i]),
        "gap strong right": any(strong[i : end + 1]), "gap negation left": text.has(NEGATION, begin, i - 1),
        "gap negation right": text.has(NEGATION, i, end),
        "gap before subject": here in PRONOUN or text.bare[subject] in PRONOUN,
        "gap after imperative": text.part[begin] == "verb" and begin == text.sentences[before][0],
    }  # fmt: skip


def _end(text: Analysis, i: int, row: Row) -> None:
    """Word i as the last one of a sentence, where contours are placed."""
    sentence = text.sentence[i]
    first, last = text.sentences[sentence]
    if i != last:
        row["end of clause"] = bool(text.mark[i])
        return
    kind, final = text.types[sentence], sentence == len(text.sentences) - 1
    start = text.clauses[text.clause[i]][0]
    row |= {
        "end": 1, f"end of {kind}": 1, f"end of, last {kind},{final}": 1, f"end is {text.kind[i]}": 1,
        f"end of, is {kind},{text.kind[i]}": 1, "end strong": bool(text.strong[i]), "end short": last - first < 3,
        "end long": last - first > 9, "end of only sentence": len(text.sentences) == 1,
        f"end starts with {text.kind[first]}": 1, "end negation": text.has(NEGATION, first, last),
        "end negation in last clause": text.has(NEGATION, start, last),
    }  # fmt: skip
    if kind == "statement":
        row |= {"end statement, negation in last clause": text.has(NEGATION, start, last),
                "end statement, last clause starts with negation": text.bare[start] in NEGATION,
                "end statement, number in text": "number" in text.part}  # fmt: skip
    for word in sorted(lists.CLOSING.intersection(text.bare[first : last + 1])):
        row[f"end with {word}"] = 1
        row[f"end statement, last clause with {word}"] = kind == "statement" and word in text.bare[start : last + 1]


def _start(text: Analysis, i: int, row: Row) -> None:
    """Word i as the first one of a phrase with a mood: high or low."""
    where = _starts(text, i)
    sentence, clause = text.sentence[i], text.clause[i]
    last, end = text.sentences[sentence][1], text.clauses[clause][1]
    here = text.bare[i]
    if not where:
        row |= {f"start inside {here}": 0.7, "start inside exclamation": text.mark[last] == "!"}
        return
    length, person = end - i + 1, here in lists.FIRST_PERSON
    following = text.bare[text.clauses[clause + 1][0]] if clause + 1 < len(text.clauses) else ""
    quiet, excited = text.has(lists.QUIET, i, end), here in lists.EXCITED
    nearby = text.types[max(sentence - 1, 0) : sentence + 2]
    row |= {
        "start": 1, f"start of {where}": 1, f"start of text {i == 0}": 1, f"start word {here}": 1,
        f"start words {here} {text.bare[i + 1] if i + 1 < len(text) else ''}": 1,
        f"start of, is {where},{text.kind[i]}": 1, f"start are {text.kind[i]},{text.kind_at(i + 1)}": 1,
        f"start of, in {where},{text.types[sentence]}": 1, "start quiet": quiet, f"start of, quiet {where}": quiet,
        "start quiet first": here in lists.QUIET, "start excited": excited, f"start of, excited {where}": excited,
        "start of exclamation": text.mark[last] == "!",
        f"start of, exclamation {where}": text.mark[last] == "!", "start of exclaimed clause": text.mark[end] == "!",
        "start near exclamation": "exclamation" in nearby and text.mark[last] != "!",
        "start of first exclamation": text.mark[last] == "!" and "exclamation" not in text.types[:sentence],
        "start first person": person, f"start of, first person {where}": person,
        "start first person, short": person and length < 5, "start first person inside": text.has(_ME, i, end),
        "start of parenthesis": where != "sentence" and length <= 5 and text.mark[end] == ",",
        "start imperative": where == "sentence" and text.part[i] == "verb", "start negation": text.has(NEGATION, i, end),
        "start of one word": length == 1, "start of short phrase": length < 4, "start before but": following in ("but", "yet"),
        "start before and": following in ("and", "so"), "start before colon": text.mark[end] == ";",
    }  # fmt: skip
    row |= {f"start with {word}": 0.7 for word in text.bare[i : min(end, i + 5) + 1]}


_ME = lists.FIRST_PERSON | {"me", "my"}
