"""Clauses of an answer: who did what, and whether it is said to have happened at all. Pure.

No parser of English: a list of verbs, the words that join clauses, and the rule that a subject
stands before its verb. What it cannot read has no actor, and no rule gives credit for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from homing.walkthrough.assess.words import Form, Token, forms, lists, places, tokens_of

#: a sentence ends here: at a stop before a blank, at a line's end before a bullet or an empty line
_SENTENCE: Final = re.compile(
    r"(?<=[.!?])[\"”')\]]*\s+|\s*;\s+|\s*\n\s*\n\s*|\s*\n\s*(?=[-*•\d#])|\n(?=\s*\w+\s*:)"
)
_ABBREVIATION: Final = re.compile(r"(?:\b(?:e\.g|i\.e|vs|approx|etc|no|fig|mr|ms|dr)\.)\s+$", re.I)
_QUOTED: Final = re.compile(
    r"\"[^\"\n]{2,400}\"|“[^”\n]{2,400}”|(?<!\w)['‘][^'’\n]{8,400}['’](?!\w)"
)
_JOINS: Final = frozenset(
    [
        "and",
        "but",
        "so",
        "because",
        "since",
        "which",
        "who",
        "while",
        "when",
        "whenever",
        "after",
        "before",
        "until",
        "once",
        "if",
        "where",
        "as",
        "then",
        "that",
        "though",
        "although",
        "unless",
        "whereas",
        "or",
        "plus",
        "to",
        "by",
    ]
)
_SIGNS: Final = frozenset((",", ":", "—", "–", "(", ")", "-", "->", "→", "/"))  # noqa: RUF001
_BE: Final = frozenset(["is", "was", "were", "be", "been", "being", "are", "am", "'re", "'m", "it's", "that's", "i'm", "isn't", "wasn't", "weren't", "aren't", "got", "get", "gets"])  # fmt: skip  # noqa: E501
_HAVE: Final = frozenset(
    [
        "have",
        "has",
        "had",
        "having",
        "i've",
        "we've",
        "they've",
        "'ve",
        "i'd",
        "hadn't",
        "haven't",
        "hasn't",
    ]
)
_DO: Final = frozenset(["do", "does", "did", "don't", "doesn't", "didn't", "didnt", "dont"])
_SAYING: Final = frozenset(["said", "says", "say", "saying", "wrote", "asked", "told", "complained", "replied", "answered", "goes", "like"])  # fmt: skip  # noqa: E501
_PRONOUNS: Final = {
    "i": "i", "i'd": "i", "i've": "i", "i'm": "i", "i'll": "i", "im": "i", "ive": "i",
    "we": "we", "we'd": "we", "we've": "we", "we're": "we", "we'll": "we",
    "they": "other", "they'd": "other", "they've": "other", "they're": "other", "they'll": "other",
    "he": "other", "she": "other", "he'd": "other", "she'd": "other", "he's": "other",
    "she's": "other", "you": "other", "everyone": "other", "somebody": "other", "someone": "other",
    "nobody": "other", "others": "other",
    "it": "thing", "it's": "thing", "this": "thing", "that": "thing", "there": "thing",
    "that's": "thing", "which": "thing", "these": "thing", "those": "thing",
}  # fmt: skip


#: forms that are no statement without a subject: "retry logic", "logging"
_BARE: Final = ("present", "ing")


class Actor(StrEnum):
    """Whose act a clause is."""

    SPEAKER = "I"
    WE = "we"
    OTHER = "others"  #: a person, a team, a company that is not the speaker
    THING = "a thing"
    NONE = "nobody named"


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """One statement of an answer."""

    start: int  #: offsets in the text
    end: int
    sentence: int
    actor: Actor
    subject: str  #: as it stands, lower case; empty where it is carried over
    verb: str | None  #: its lemma; None: no verb that is known
    form: str = ""  #: "past", "present", "ing", "done"
    verb_at: tuple[int, int] | None = None
    objects: tuple[str, ...] = ()  #: the words after the verb
    is_negated: bool = False
    is_possible: bool = False  #: would, could, plans, wishes: not said to have happened
    is_quoted: bool = False  #: somebody else's words
    is_passive: bool = False
    by: Actor | None = None  #: of a passive: by whom
    length: int = 0  #: words, a carried-over subject counted
    join: str = ""  #: the word that joins it to what stands before
    stage: str = ""

    @property
    def is_said(self) -> bool:
        """Whether the speaker says, in their own words, that it happened."""
        return not (self.is_negated or self.is_possible or self.is_quoted)

    @property
    def is_whole(self) -> bool:
        """A statement and not a keyword: a verb and at least four words."""
        return self.verb is not None and self.length >= 4

    @property
    def doer(self) -> Actor:
        """Who acted, a passive's `by` included."""
        return (self.by or Actor.NONE) if self.is_passive else self.actor

    def did(self, verbs: frozenset[str]) -> bool:
        return self.verb in verbs


@dataclass(slots=True)
class _Piece:
    """Words between two places where clauses may join."""

    tokens: list[Token]
    join: str = ""
    sign: bool = False  #: it begins after a comma or the like


@dataclass(slots=True)
class _Found:
    subject: list[Token] = field(default_factory=list)
    kind: str = ""  #: of the subject, as in _PRONOUNS; "" for none
    verb: Token | None = None
    form: Form | None = None
    rest: list[Token] = field(default_factory=list)
    is_negated: bool = False
    is_modal: bool = False
    is_passive: bool = False


def sentences_of(text: str, start: int = 0, end: int | None = None) -> list[tuple[int, int]]:
    """Places of the sentences; at least one word each."""
    end = len(text) if end is None else end
    found, begin = [], start
    for gap in _SENTENCE.finditer(text, start, end):
        if _ABBREVIATION.search(text[begin : gap.end()]):
            continue
        found.append((begin, gap.start()))
        begin = gap.end()
    found.append((begin, end))
    kept = []
    for first, last in found:
        body = text[first:last]
        first += len(body) - len(body.lstrip(" \t\n-*•#>"))
        last = first + len(text[first:last].rstrip())
        if any(letter.isalnum() for letter in text[first:last]):
            kept.append((first, last))
    return kept


def quotes_of(text: str) -> list[tuple[int, int]]:
    """Where somebody is quoted, marks included."""
    return [one.span() for one in _QUOTED.finditer(text)]


def clauses_of(text: str, start: int = 0, end: int | None = None) -> list[Clause]:
    """The statements between two places, in order."""
    quoted = quotes_of(text)
    intended = places(text, lists()["intends"])
    found: list[Clause] = []
    before: Clause | None = None
    for number, (first, last) in enumerate(sentences_of(text, start, end)):
        reported = False
        for at, piece in enumerate(_pieces(tokens_of(text, first, last))):
            clause = _clause(piece, number, before, is_first=at == 0)
            if clause is None:
                if found and found[-1].sentence == number:
                    found[-1] = _longer(found[-1], piece)
                elif piece.tokens:
                    found.append(_verbless(piece, number))
                continue
            reported = _is_reported(found, clause, reported)
            in_quotes = any(a <= clause.start and clause.end <= b + 1 for a, b in quoted)
            wished = any(
                a < (clause.verb_at or (0, 0))[0] and clause.start - 12 <= b <= (clause.verb_at or (0, 0))[0] + 1
                for a, b in intended
            )  # fmt: skip
            clause = replace(
                clause,
                is_quoted=in_quotes or reported,
                is_possible=clause.is_possible or wished,
            )
            found.append(clause)
            before = clause
    return found


def _is_reported(found: Sequence[Clause], clause: Clause, before: bool) -> bool:
    """Whether it is what somebody else is said to have said: "the customer said we lost it"."""
    if before and clause.join in ("that", "and", "") and clause.actor is not Actor.SPEAKER:
        return True
    if not found or found[-1].sentence != clause.sentence:
        return False
    last = found[-1]
    return (
        last.verb in ("say", "complain", "claim", "reply", "answer")
        and last.actor in (Actor.OTHER, Actor.WE)
        and clause.join in ("that", "")
    )


def _pieces(tokens: list[Token]) -> Iterator[_Piece]:
    """Parts of a sentence that may be clauses of their own."""
    piece = _Piece([])
    for at, token in enumerate(tokens):
        follows = tokens[at + 1].text if at + 1 < len(tokens) else ""
        is_sign = token.text in _SIGNS
        is_join = token.text in _JOINS and not (token.text == "to" and not _is_base(follows))
        begins = token.text in ("i", "we", "they", "i'd", "i've") and _has_verb(piece.tokens)
        if is_sign or is_join:
            if piece.tokens or piece.join:
                yield piece
            join = token.text if is_join else (piece.join if not piece.tokens else "")
            piece = _Piece([], join=join, sign=is_sign)
        elif begins:
            yield piece
            piece = _Piece([token])
        else:
            piece.tokens.append(token)
    if piece.tokens:
        yield piece


def _is_base(word: str) -> bool:
    form = forms().get(word)
    return form is not None and form.lemma == word


def _has_verb(tokens: Sequence[Token]) -> bool:
    return any(one.text in forms() or one.text in _BE for one in tokens)


def _clause(
    piece: _Piece, sentence: int, before: Clause | None, *, is_first: bool
) -> Clause | None:
    """The clause of some words; None: there is no verb in them."""
    if not piece.tokens:
        return None
    found = _parse(piece.tokens)
    if found.verb is None:
        return None
    actor = _actor(found)
    length = sum(one.is_word or one.is_number for one in piece.tokens)
    is_carried = False
    if not found.subject and not found.is_passive:
        actor, is_carried = _carried(piece, found, before, sentence, is_first=is_first)
        if actor is None or (actor is Actor.NONE and found.form and found.form.tense in _BARE):
            return None
    form = found.form
    is_purpose = piece.join == "to"
    return Clause(
        start=piece.tokens[0].start,
        end=piece.tokens[-1].end,
        sentence=sentence,
        actor=actor,
        subject=" ".join(one.text for one in found.subject),
        verb=form.lemma if form else found.verb.text,
        form=form.tense if form else "",
        verb_at=(found.verb.start, found.verb.end),
        objects=tuple(one.text for one in found.rest),
        is_negated=found.is_negated or (is_carried and before is not None and before.is_negated
                                        and piece.join in ("or", "to", "that")),
        is_possible=found.is_modal or piece.join in ("if", "unless")
        or (is_carried and before is not None and before.is_possible
            and piece.join in ("and", "or", "to", "") and form is not None
            and form.tense == "present")
        or (is_purpose and before is not None and before.verb in ("want", "hope", "try", "need")),
        is_passive=found.is_passive,
        by=_by(found) if found.is_passive else None,
        length=length + is_carried,
        join=piece.join,
    )  # fmt: skip


def _parse(tokens: Sequence[Token]) -> _Found:
    """Subject, verb and what stands after it."""
    found = _Found()
    at = 0
    words = [one.text for one in tokens]
    if "me" in words and len(words) > words.index("me") + 1 and words[0] in ("it", "me"):
        # "it was me who traced": the next piece begins with who; "me and Sara traced" is joint
        pass
    while at < len(tokens):
        word = words[at]
        is_last = at == len(tokens) - 1
        kind = _PRONOUNS.get(word)
        form = forms().get(word)
        if kind and not (kind == "thing" and found.subject) and found.form is None:
            if not (kind == "thing" and not is_last and not _verb_near(words, at + 1)):
                found.subject, found.kind = [tokens[at]], kind
                found.is_modal |= word.endswith("'ll") or (
                    word.endswith("'d") and not is_last and _is_base(words[at + 1])
                )
                found.is_passive = False
                if word == "nobody":
                    found.is_negated = True
                at += 1
                continue
            found.subject.append(tokens[at])
        elif word in lists()["modals"]:
            found.is_modal = True
        elif word in lists()["negations"]:
            found.is_negated = True
            found.is_modal |= word in ("wouldn't", "couldn't", "can't", "won't", "shouldn't")
            if word in ("no", "none", "nobody"):
                found.subject.append(tokens[at])
        elif word in _BE:
            if found.verb is None or found.form is None:
                found.verb = tokens[at]
                found.is_passive = True  # until a verb says otherwise
        elif word in _HAVE or word in _DO:
            found.verb = found.verb or tokens[at]
        elif form is not None and _is_verb_here(words, at, found, form):
            if (form.tense in ("ing", "present") and found.is_passive) or not (
                form.tense in ("past", "done") and found.is_passive
            ):
                found.is_passive = False
            found.verb, found.form = tokens[at], form
            found.rest = list(tokens[at + 1 :])
            break
        elif _is_unlisted_past(words, at, found):
            found.verb, found.form = tokens[at], Form(word, "past")
            found.rest = list(tokens[at + 1 :])
            break
        elif word not in lists()["adverbs"] or (found.subject and found.verb is None):
            if found.verb is None and (tokens[at].is_word or tokens[at].is_number):
                found.subject.append(tokens[at])
            elif found.verb is not None and found.form is None:
                found.rest = list(tokens[at:])
                found.is_passive = False
                if not any(w in forms() for w in words[at:]):
                    break
                # "was able to", "did a check": the noun after it is its object
                if not word.endswith("ly"):
                    break
        at += 1
    if found.form is None:
        found.is_passive = False
        if found.verb is not None and found.verb.text in _DO | _HAVE:
            found.form = Form("do" if found.verb.text in _DO else "have", "past")
        elif found.verb is not None:
            found.form = Form("be", "past")
    tail = {one.text for one in found.rest[:3]}
    if (
        tail & {"no", "nothing", "nobody", "none"}
        and found.form
        and found.form.lemma in ("be", "have", "do")
    ):
        found.is_negated = True
    return found


def _verb_near(words: Sequence[str], at: int) -> bool:
    near = words[at : at + 4]
    return any(
        word in forms() or word in _BE or word in _HAVE or word in _DO or word in lists()["modals"]
        for word in near
    )


def _is_verb_here(words: Sequence[str], at: int, found: _Found, form: Form) -> bool:
    """Whether a spelling that may be a verb is one here: "the fix" and "my test" are not."""
    before = words[at - 1] if at else ""
    if before in lists()["determiners"] or before in (
        "of",
        "in",
        "on",
        "for",
        "with",
        "from",
        "at",
    ):
        return False
    if found.is_passive and found.verb is not None:
        return form.tense in ("past", "done", "ing")
    if form.tense in ("past", "done"):
        # "the failed rows", "a planned change"
        return not (found.kind == "" and found.subject and at + 1 < len(words)
                    and before in lists()["determiners"])  # fmt: skip
    if found.kind in ("i", "we", "other") or not found.subject:
        return True
    if found.is_modal or (found.verb is not None and found.verb.text in _DO):
        return True
    if form.tense == "ing":
        return False
    if words[at] not in lists()["things"] and words[at] not in lists()["nouns"]:
        return True
    # a noun in front: "the manager ask me" is a verb where the subject is a person
    return found.subject[-1].text in lists()["people"] or (words[at].endswith("s") and at > 0)


def _is_unlisted_past(words: Sequence[str], at: int, found: _Found) -> bool:
    word = words[at]
    if not word.endswith("ed") or len(word) < 5 or word in _NOT_PAST:
        return False
    before = words[at - 1] if at else ""
    if before in lists()["determiners"]:
        return False
    return found.kind in ("i", "we", "other") or found.is_passive or at == 0


_NOT_PAST: Final = frozenset(
    [
        "need",
        "speed",
        "feed",
        "indeed",
        "seed",
        "exceed",
        "proceed",
        "hundred",
        "embed",
        "shed",
        "concerned",
        "excited",
        "interested",
        "worried",
        "tired",
        "convinced",
        "involved",
        "surprised",
        "pleased",
    ]
)


def _actor(found: _Found) -> Actor:
    words = [one.text for one in found.subject]
    if found.kind == "i":
        return Actor.SPEAKER
    if found.kind == "we":
        return Actor.WE
    if found.kind == "other":
        return Actor.OTHER
    if found.kind == "thing":
        return Actor.THING
    if not words:
        return Actor.NONE
    if words[-1] in lists()["people"] or words[-1] in lists()["vendors"]:
        return Actor.OTHER
    text = " ".join(words)
    if places(text, lists()["vendors"]) or any(word in lists()["people"] for word in words[-3:]):
        return Actor.OTHER
    return Actor.THING


def _carried(
    piece: _Piece, found: _Found, before: Clause | None, sentence: int, *, is_first: bool
) -> tuple[Actor | None, bool]:
    """Whose act a verb without a subject is: "and added an alert"."""
    form = found.form
    assert form is not None
    if form.lemma in ("be", "have", "do") and before is None:
        return Actor.NONE, False
    same = before is not None and before.sentence == sentence
    if piece.join == "who" or piece.join == "which":
        return (Actor.OTHER if piece.join == "who" else Actor.THING), True
    if same and before is not None:
        if before.is_passive and form.tense == "past":
            return None, False
        return before.actor, True
    if is_first and before is not None and before.actor is Actor.SPEAKER and form.tense == "past":
        # "I pulled the logs. Then traced one of them."
        return Actor.SPEAKER, True
    return Actor.NONE, False


def _by(found: _Found) -> Actor | None:
    words = [one.text for one in found.rest]
    if "by" not in words:
        return None
    who = words[words.index("by") + 1 :][:5]
    if who[:1] in (["me"], ["myself"]):
        return Actor.SPEAKER
    if who[:1] == ["us"]:
        return Actor.WE
    if (
        any(word in lists()["people"] or word in lists()["vendors"] for word in who)
        or "them" in who
    ):
        return Actor.OTHER
    return None


def _longer(clause: Clause, piece: _Piece) -> Clause:
    """A clause with words that are no clause of their own: the rest of a list, a place, a time."""
    words = tuple(one.text for one in piece.tokens)
    by = clause.by
    if clause.is_passive and by is None and piece.join == "by":
        by = _by(_Found(rest=[Token("by", 0, 0), *piece.tokens]))
    return replace(
        clause,
        end=piece.tokens[-1].end if piece.tokens else clause.end,
        objects=clause.objects + words,
        length=clause.length + sum(one.is_word or one.is_number for one in piece.tokens),
        by=by,
    )


def _verbless(piece: _Piece, sentence: int) -> Clause:
    """Words without a verb: a keyword, a heading, a fragment."""
    return Clause(
        start=piece.tokens[0].start,
        end=piece.tokens[-1].end,
        sentence=sentence,
        actor=Actor.NONE,
        subject="",
        verb=None,
        objects=tuple(one.text for one in piece.tokens),
        length=sum(one.is_word or one.is_number for one in piece.tokens),
        join=piece.join,
    )
