"""Clauses of an answer: who did what, and whether it is said to have happened at all. Pure.

No parser of English: a list of verbs, the words that join clauses, and the rule that a subject
stands before its verb. What it cannot read has no actor, and no rule gives credit for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from homing.walkthrough.assess.reading import Phrase, has_verb, is_base, read_phrase
from homing.walkthrough.assess.sentences import quotes_of, sentences_of
from homing.walkthrough.assess.unsaid import denied, listed, supposed
from homing.walkthrough.assess.words import Token, lists, places, tokens_of

_SIGNS: Final = frozenset((",", ":", "—", "\u2013", "(", ")", "-", "->", "→", "/"))
_SUBORDINATE: Final = ("that", "which", "who", "because", "where", "when", "while", "if", "since")
_COMPLEMENTS: Final = ("that", "to", "which")
_PAST: Final = ("past", "done")
_TOGETHER: Final = ("and", "")
#: forms that are no statement without a subject: "retry logic", "logging"
_BARE: Final = ("present", "ing")
_SAYING: Final = ("say", "complain", "claim", "reply", "answer")
_WISHING: Final = ("want", "hope", "try", "need", "like", "plan", "intend", "propose", "offer")
#: "asked them to deploy": whoever is asked would do it
_ASKING: Final = ("ask", "tell", "want", "request", "convince", "suggest", "expect", "allow", "let")
_NAME_MAX: Final = 4
#: a statement has so many words, a carried-over subject counted
WHOLE_MIN: Final = 4


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
    is_listed: bool = False  #: one of a row of keywords, with or without an "I" and a verb
    is_passive: bool = False
    by: Actor | None = None  #: of a passive: by whom
    length: int = 0  #: words, a carried-over subject counted
    join: str = ""  #: the word that joins it to what stands before
    stage: str = ""

    @property
    def is_said(self) -> bool:
        """Whether the speaker says, in their own words, that it happened."""
        return not (self.is_negated or self.is_possible or self.is_quoted or self.is_listed)

    @property
    def is_whole(self) -> bool:
        """A statement and not a keyword: a verb and enough words."""
        return self.verb is not None and self.length >= WHOLE_MIN

    @property
    def doer(self) -> Actor:
        """Who acted, a passive's `by` included."""
        return (self.by or Actor.NONE) if self.is_passive else self.actor


@dataclass(slots=True)
class _Piece:
    """Words between two places where clauses may join."""

    tokens: list[Token]
    join: str = ""
    has_verb: bool = False  #: any of its words may be one

    @property
    def length(self) -> int:
        return sum(one.is_word or one.is_number for one in self.tokens)


def clauses_of(text: str, start: int = 0, end: int | None = None) -> list[Clause]:
    """The statements between two places, in order; words without a verb stand alone."""
    quoted, intended = quotes_of(text), places(text, lists()["intends"])
    sentences = sentences_of(text, start, end)
    untrue, unreal = denied(text, sentences), supposed(text, sentences)
    rows = listed(text, sentences)
    found: list[Clause] = []
    before: Clause | None = None
    for number, (first, last) in enumerate(sentences):
        is_reported = False
        for at, piece in enumerate(_pieces(tokens_of(text, first, last))):
            main = _main(found, number, piece) or before
            clause = _clause(piece, number, main, is_first=at == 0)
            if clause is None:
                if found and found[-1].sentence == number:
                    found[-1] = _longer(found[-1], piece)
                elif piece.tokens:
                    fragment = _verbless(piece, number)
                    found.append(replace(fragment, is_listed=is_within(fragment.start, rows)))
                continue
            is_reported = _is_reported(found, clause, is_reported)
            in_marks = any(a <= clause.start and clause.end <= b + 1 for a, b in quoted)
            clause = replace(
                clause,
                is_quoted=in_marks or is_reported,
                is_possible=clause.is_possible
                or _is_wished(clause, intended)
                or is_within(clause.start, unreal),
                is_negated=clause.is_negated or is_within(clause.start, untrue),
                is_listed=is_within(clause.start, rows),
            )
            if clause.join in _COMPLEMENTS and found and found[-1].sentence == number:
                # "I confirmed that the file went through" is one statement of so many words
                found[-1] = replace(found[-1], length=found[-1].length + clause.length)
            found.append(clause)
            before = clause
    return found


def is_within(place: int, spans: Sequence[tuple[int, int]]) -> bool:
    """Whether a place is in any of them."""
    return any(start <= place < end for start, end in spans)


def _main(found: Sequence[Clause], sentence: int, piece: _Piece) -> Clause | None:
    """After a subordinate clause, the one that an act without a subject goes on with.

    "I found that the table was read wrongly, and corrected the conversion": I corrected it.
    """
    here = [one for one in found if one.sentence == sentence]
    if piece.join not in _TOGETHER or not here or here[-1].join not in _SUBORDINATE:
        return None
    phrase = read_phrase(piece.tokens)
    form = phrase.form
    if phrase.subject or form is None or form.tense != "past":
        return None
    if form.lemma not in lists()["acts"] | lists()["solves"] | lists()["hands_off"]:
        return None
    mains = [one for one in here if one.join not in _SUBORDINATE]
    is_person = bool(mains) and mains[-1].actor in (Actor.SPEAKER, Actor.WE, Actor.OTHER)
    return mains[-1] if is_person else None


def _is_wished(clause: Clause, intended: Sequence[tuple[int, int]]) -> bool:
    """Whether words of a plan stand right before its verb: "wanted to write"."""
    at = clause.verb_at[0] if clause.verb_at else 0
    return any(a < at and clause.start - 12 <= b <= at + 1 for a, b in intended)


def _is_reported(found: Sequence[Clause], clause: Clause, before: bool) -> bool:
    """Whether it is what somebody else is said to have said: "the customer said we lost it"."""
    if before and clause.join in ("that", "and", "") and clause.actor is not Actor.SPEAKER:
        return True
    if not found or found[-1].sentence != clause.sentence:
        return False
    last = found[-1]
    is_theirs = last.actor in (Actor.OTHER, Actor.WE)
    return last.verb in _SAYING and is_theirs and clause.join in ("that", "")


def _pieces(tokens: list[Token]) -> Iterator[_Piece]:
    """Parts of a sentence that may be clauses of their own."""
    piece = _Piece([])
    for at, token in enumerate(tokens):
        after = [one.text for one in tokens[at + 1 : at + 3]]
        is_join = token.text in lists()["joins"] and _is_join(token.text, piece, after, at == 0)
        if token.text in _SIGNS or is_join:
            if piece.tokens or piece.join:
                yield piece
            kept = piece.join if not piece.tokens else ""
            piece = _Piece([], join=token.text if is_join else kept)
        elif token.text in lists()["begins"] and piece.has_verb:
            yield piece
            piece = _Piece([token], has_verb=has_verb([token.text]))
        else:
            piece.tokens.append(token)
            piece.has_verb = piece.has_verb or has_verb([token.text])
    if piece.tokens:
        yield piece


def _is_join(word: str, piece: _Piece, after: Sequence[str], is_first: bool) -> bool:
    """Whether a word that may join clauses joins two here."""
    follows = after[0] if after else ""
    has_none = bool(piece.tokens) and not piece.has_verb
    match word:
        case "to":
            return is_base(follows)
        case "by":  # "by comparing", but "by hand"
            return follows.endswith("ing")
        case "and":  # "Sara and I wrote"
            return not (follows == "i" and has_none)
        case "then":  # "I would then monitor"
            is_open = bool(piece.tokens) and piece.tokens[-1].text in lists()["modals"]
            return not (has_none or is_open)
        case "that":  # "that could help", "that list"
            is_noun = follows in lists()["things"] or follows in lists()["nouns"]
            return not is_first and not (is_noun and not has_verb(after[1:]))
    return True


def _clause(
    piece: _Piece, sentence: int, before: Clause | None, *, is_first: bool
) -> Clause | None:
    """The clause of some words; None: there is no verb in them."""
    if not piece.tokens:
        return None
    found = read_phrase(piece.tokens)
    if found.verb is None or found.form is None:
        return None
    actor: Actor | None = _actor(found)
    is_carried = False
    if not found.subject and not found.is_passive:
        same = before if before is not None and before.sentence == sentence else None
        actor = _carried(piece, found, same)
        is_carried = actor is not None
        if actor is None and before is not None and is_first and _goes_on(before, found):
            actor, is_carried = Actor.SPEAKER, True
        if actor is None:
            if found.form.tense in _BARE or (same is not None and same.is_passive):
                return None
            actor = Actor.NONE
    assert actor is not None
    return Clause(
        start=piece.tokens[0].start,
        end=piece.tokens[-1].end,
        sentence=sentence,
        actor=actor,
        subject=" ".join(one.text for one in found.subject),
        verb=found.form.lemma,
        form=found.form.tense,
        verb_at=(found.verb.start, found.verb.end),
        objects=tuple(one.text for one in found.rest),
        is_negated=found.is_negated or (is_carried and _is_denied_too(piece, found, before)),
        is_possible=found.is_modal
        or piece.join in ("if", "unless")
        or (is_carried and _is_possible_too(piece, found, before)),
        is_passive=found.is_passive,
        by=_by(found.rest) if found.is_passive else None,
        length=piece.length + is_carried,
        join=piece.join,
    )


def _actor(found: Phrase) -> Actor:
    """Whose act it is by its subject."""
    kinds = {"i": Actor.SPEAKER, "we": Actor.WE, "other": Actor.OTHER, "thing": Actor.THING}
    if found.kind:
        return kinds[found.kind]
    words = [one.text for one in found.subject]
    if not words:
        return Actor.NONE
    is_person = any(word in lists()["people"] for word in words[-3:])
    is_person |= bool(places(" ".join(words), lists()["vendors"]))
    is_person |= _is_named(words, found)
    return Actor.OTHER if is_person else Actor.THING


def _is_named(words: Sequence[str], found: Phrase) -> bool:
    """A name: no article, nothing that is known, and it does what only somebody can do."""
    known = lists()["determiners"] | lists()["things"] | lists()["nouns"] | lists()["adverbs"]
    if found.form is None or len(words) > _NAME_MAX or words[0] in known or words[-1] in known:
        return False
    doing = (lists()["acts"] | lists()["solves"]) - lists()["happens"]
    return found.form.lemma in doing and found.form.tense == "past" and words[0].isalpha()


def _carried(piece: _Piece, found: Phrase, before: Clause | None) -> Actor | None:
    """Whose act a verb without a subject is, from the clause before it: "and added an alert"."""
    if before is None:
        return None
    if piece.join == "who":
        return Actor.SPEAKER if {"me", "myself"} & set(before.objects[-1:]) else Actor.OTHER
    if piece.join in ("which", "that"):
        return Actor.THING
    if piece.join == "to" and before.verb in _ASKING:
        return Actor.SPEAKER if "me" in before.objects[-2:] else Actor.OTHER
    assert found.form is not None
    if before.is_passive and found.form.tense == "past":
        return None
    return before.actor


def _goes_on(before: Clause, found: Phrase) -> bool:
    """A sentence without a subject after one of the speaker's: "I pulled it. Then traced one."."""
    return before.actor is Actor.SPEAKER and found.form is not None and found.form.tense == "past"


def _is_denied_too(piece: _Piece, found: Phrase, before: Clause | None) -> bool:
    """What follows a denial in the same breath and the same form: "I never pulled or grouped"."""
    if before is None or not before.is_negated:
        return False
    same = found.form is not None and before.form in _PAST and found.form.tense in _PAST
    return piece.join in ("or", "to", "that") or (same and piece.join in _TOGETHER)


def _is_possible_too(piece: _Piece, found: Phrase, before: Clause | None) -> bool:
    """What follows a wish in the same breath: "I would pull the logs and write a fix"."""
    assert found.form is not None
    if before is None:
        return False
    if piece.join == "to" and (before.verb in _WISHING or before.verb in _ASKING):
        return True
    # "wanted to check and found": the second happened; "would have checked and found" did not
    is_alike = found.form.tense == "present" or before.form in _PAST
    return before.is_possible and is_alike and piece.join in (*_TOGETHER, "or", "to")


def _by(rest: Sequence[Token]) -> Actor | None:
    """By whom, in what follows a passive."""
    words = [one.text for one in rest]
    if "by" not in words:
        return None
    who = words[words.index("by") + 1 :][:5]
    if who[:1] in (["me"], ["myself"]):
        return Actor.SPEAKER
    if who[:1] == ["us"]:
        return Actor.WE
    others = lists()["people"] | lists()["vendors"] | {"them"}
    return Actor.OTHER if others & set(who) else None


def _longer(clause: Clause, piece: _Piece) -> Clause:
    """A clause with words that are no clause of their own: the rest of a list, a place, a time."""
    by = clause.by
    if clause.is_passive and by is None and piece.join == "by":
        by = _by([Token("by", 0, 0), *piece.tokens])
    return replace(
        clause,
        end=piece.tokens[-1].end if piece.tokens else clause.end,
        objects=clause.objects + tuple(one.text for one in piece.tokens),
        length=clause.length + piece.length,
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
        length=piece.length,
        join=piece.join,
    )
