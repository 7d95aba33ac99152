"""A few words read from left to right: the subject, the verb and what follows. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from homing.walkthrough.assess.words import Form, Token, forms, lists

_PRONOUNS: Final = {
    "i": "i", "i'd": "i", "i've": "i", "i'm": "i", "i'll": "i", "im": "i", "ive": "i",
    "we": "we", "we'd": "we", "we've": "we", "we're": "we", "we'll": "we",
    "they": "other", "they'd": "other", "they've": "other", "they're": "other", "they'll": "other",
    "he": "other", "she": "other", "he'd": "other", "she'd": "other", "he's": "other",
    "she's": "other", "you": "other", "everyone": "other", "somebody": "other", "someone": "other",
    "nobody": "other", "others": "other", "everybody": "other",
    "it": "thing", "it's": "thing", "this": "thing", "that": "thing", "there": "thing",
    "that's": "thing", "which": "thing", "these": "thing", "those": "thing",
}  # fmt: skip
_PERSONS: Final = ("i", "we", "other")
_BEFORE_NOUNS: Final = frozenset(("of", "in", "on", "for", "with", "from", "at", "into", "about"))
_CAN_NOT: Final = frozenset(("wouldn't", "couldn't", "can't", "won't", "shouldn't", "cannot"))
_FINITE: Final = frozenset(("was", "were", "is", "are", "has", "had", "have", "didn't", "wasn't"))
_NOTHING: Final = frozenset(("no", "nothing", "nobody", "none"))
_WEAK_VERBS: Final = frozenset(("be", "have", "do"))
#: so many words after "this" or "that" may stand before its verb
_NEAR: Final = 4
#: so many words of a subject may stand between its first and the verb
_NOUN_MAX: Final = 6
#: "ed" at the end of shorter words is no ending
_ED_MIN: Final = 5


@dataclass(slots=True)
class Phrase:
    """What was read."""

    subject: list[Token] = field(default_factory=list)
    kind: str = ""  #: of the subject: "i", "we", "other", "thing"; "" for a noun or none
    verb: Token | None = None
    form: Form | None = None
    rest: list[Token] = field(default_factory=list)  #: after the verb
    is_negated: bool = False
    is_modal: bool = False
    is_passive: bool = False


def read_phrase(tokens: Sequence[Token]) -> Phrase:
    """Subject, verb and the rest of some words; `verb` is None where there is none."""
    reader = _Reader(tokens)
    while not reader.is_done:
        reader.take()
    return reader.finish()


def is_base(word: str) -> bool:
    """Whether it is a verb without an ending."""
    form = forms().get(word)
    return form is not None and form.lemma == word


def _is_finite(word: str) -> bool:
    """Whether it can be nothing but the verb of a clause."""
    form = forms().get(word)
    if form is not None and form.tense == "past":
        return True
    return word in lists()["modals"] or word in lists()["do"] or word in _FINITE


def has_verb(words: Sequence[str]) -> bool:
    """Whether any of them may be a verb."""
    helping = lists()["be"] | lists()["have"] | lists()["do"] | lists()["modals"]
    return any(word in forms() or word in helping for word in words)


class _Reader:
    def __init__(self, tokens: Sequence[Token]) -> None:
        self.tokens = tokens
        self.words = [one.text for one in tokens]
        self.at = 0
        self.phrase = Phrase()

    @property
    def is_done(self) -> bool:
        return self.at >= len(self.tokens)

    def take(self) -> None:
        """One word."""
        word, token, phrase = self.words[self.at], self.tokens[self.at], self.phrase
        form = forms().get(word)
        if self._is_subject(word):
            self._begin(word, token)
        elif word in lists()["modals"]:
            phrase.is_modal = True
        elif word in lists()["negations"]:
            self._deny(word, token)
        elif word in lists()["be"]:
            phrase.verb, phrase.is_passive = token, True  # until a verb says otherwise
        elif word in lists()["have"] or word in lists()["do"]:
            phrase.verb = phrase.verb or token
        elif form is not None and self._is_verb(form):
            self._found(token, form)
        elif self._is_unlisted_past(word):
            self._found(token, Form(word, "past"))
        elif word not in lists()["adverbs"] or (phrase.subject and phrase.verb is None):
            self._other(token)
        self.at += 1

    def _is_subject(self, word: str) -> bool:
        kind = _PRONOUNS.get(word)
        if kind is None:
            return False
        if kind != "thing":
            return True
        follows = self.words[self.at + 1 : self.at + 1 + _NEAR]
        return not self.phrase.subject and (not follows or has_verb(follows))

    def _begin(self, word: str, token: Token) -> None:
        """A pronoun: what was before it was a place or a time."""
        phrase = self.phrase
        phrase.subject, phrase.kind, phrase.is_passive = [token], _PRONOUNS[word], False
        if word in lists()["be"]:
            phrase.verb, phrase.is_passive = token, True
        elif phrase.form is None:
            phrase.verb = None
        follows = self.words[self.at + 1] if self.at + 1 < len(self.words) else ""
        phrase.is_modal |= word.endswith("'ll") or (word.endswith("'d") and is_base(follows))
        phrase.is_negated |= word == "nobody"

    def _deny(self, word: str, token: Token) -> None:
        phrase = self.phrase
        phrase.is_negated = True
        phrase.is_modal |= word in _CAN_NOT
        if word in lists()["be"] or word in ("wasn't", "weren't", "isn't", "aren't", "ain't"):
            phrase.verb, phrase.is_passive = token, True
        elif word in lists()["do"] or word.startswith(("have", "has", "had")):
            phrase.verb = phrase.verb or token
        elif word in _NOTHING:
            phrase.subject.append(token)

    def _is_verb(self, form: Form) -> bool:
        """Whether a spelling that may be a verb is one here: "the fix" and "my test" are not."""
        phrase, word = self.phrase, self.words[self.at]
        before = self.words[self.at - 1] if self.at else ""
        if before in lists()["determiners"] or before in _BEFORE_NOUNS:
            return False
        if self._is_noun_here(word, form):
            return False
        if phrase.is_passive:
            return form.tense in ("past", "done", "ing")
        if form.tense in ("past", "done") or phrase.kind in _PERSONS or not phrase.subject:
            return True
        if phrase.is_modal or (phrase.verb is not None and phrase.verb.text in lists()["do"]):
            return True
        if form.tense == "ing":
            return False
        if word not in lists()["things"] and word not in lists()["nouns"]:
            return True
        # "the manager ask me" has a verb, "the retry log" has none
        return phrase.subject[-1].text in lists()["people"] or word.endswith("s")

    def _is_noun_here(self, word: str, form: Form) -> bool:
        """Whether the verb comes later: "my lead assigned", "missing customers went"."""
        later = self.words[self.at + 1 : self.at + 3]
        if not self.phrase.subject:
            if form.tense != "past":  # "support counted", "repeat visits fell"
                rest = self.words[self.at + 1 :]
                return any(_is_finite(one) for one in rest[:_NOUN_MAX])
            if len(later) < 2:
                return False
            is_noun = later[0].endswith("s") or later[0] in lists()["things"]
            return is_noun and not is_base(later[0]) and _is_finite(later[1])
        is_spelled_so = word in lists()["nouns"] or word in lists()["things"]
        is_pronoun = self.phrase.kind in _PERSONS
        return is_spelled_so and not is_pronoun and bool(later) and _is_finite(later[0])

    def _found(self, token: Token, form: Form) -> None:
        phrase = self.phrase
        phrase.is_passive &= form.tense in ("past", "done")
        phrase.verb, phrase.form = token, form
        phrase.rest = list(self.tokens[self.at + 1 :])
        self.at = len(self.tokens)

    def _is_unlisted_past(self, word: str) -> bool:
        if not word.endswith("ed") or len(word) < _ED_MIN or word in lists()["not_past"]:
            return False
        before = self.words[self.at - 1] if self.at else ""
        if before in lists()["determiners"]:
            return False
        subject = self.phrase.subject
        nouns = lists()["people"] | lists()["things"] | lists()["nouns"]
        has_noun = bool(subject) and subject[-1].text in nouns
        return self.phrase.kind in _PERSONS or self.phrase.is_passive or self.at == 0 or has_noun

    def _other(self, token: Token) -> None:
        phrase = self.phrase
        if phrase.verb is None:
            if token.is_word or token.is_number:
                phrase.subject.append(token)
        elif not token.text.endswith("ly"):
            # "was able", "had the same row": no act
            phrase.rest = list(self.tokens[self.at :])
            self.at = len(self.tokens)

    def finish(self) -> Phrase:
        phrase = self.phrase
        if phrase.form is None:
            phrase.is_passive = False
            if phrase.verb is not None:
                phrase.form = Form(_helping(phrase.verb.text), "past")
        if phrase.form is not None and phrase.form.lemma in _WEAK_VERBS:
            phrase.is_negated |= bool(_NOTHING & {one.text for one in phrase.rest[:3]})
        return phrase


def _helping(word: str) -> str:
    if word in lists()["do"]:
        return "do"
    return "have" if word in lists()["have"] or word.startswith(("have", "has", "had")) else "be"
