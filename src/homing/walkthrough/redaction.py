"""What must not leave with a story: addresses, identifiers, secrets, colleagues' names. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from homing.review.incident import Incident
from homing.walkthrough.record import is_group

#: what looks like it, and what is written instead; in this order
_PATTERNS: Final = (
    (re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s)>\"'”]+", re.I), "[address]"),
    (re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b"), "[address]"),
    (re.compile(r"\b(?:whsec|sk|pk|tok|ghp|xox[a-z]?|AKIA)[-_][\w+/=-]{6,}"), "[secret]"),
    (re.compile(r"\bBearer\s+\S+", re.I), "[secret]"),
    (re.compile(r"\b(?=\w*\d)[A-Za-z0-9+/]{28,}={0,2}"), "[secret]"),
    (
        re.compile(r"\b(?:ep|dlv|msg|app|inc|evt|att|cus|acct|usr|ord|pay)_[A-Za-z0-9]{4,}\b"),
        "[id]",
    ),
    (re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?\b"), "[host]"),
    (
        re.compile(
            r"\b(?:[a-z0-9-]+\.)+(?:internal|local|corp|lan|intra|com|net|org|io|dev|cloud)\b", re.I
        ),
        "[host]",
    ),
)
_COLLEAGUE: Final = "a colleague"


def redacted(text: str, incident: Incident, me: str, hidden: Sequence[str] = ()) -> str:
    """A text without what it should not carry out of the house.

    Args:
        incident: whose people are called by their role.
        me: the speaker, whose name is not there anyway.
        hidden: more words to leave out: customers, products.
    """
    for word in sorted(hidden, key=len, reverse=True):
        text = _replaced(text, word, "[left out]")
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    for name in sorted(people_of(incident, me), key=len, reverse=True):
        text = _replaced(text, name, _COLLEAGUE)
    return text[:1].upper() + text[1:] if text.startswith(_COLLEAGUE) else text


def people_of(incident: Incident, me: str) -> set[str]:
    """Actors of a record who are persons, the speaker aside."""
    actors: Iterable[str] = (
        *(one.actor for one in incident.timeline),
        *(one.by for one in incident.deployments),
        *(one.by for one in incident.adoptions),
        *(one.owner for one in incident.actions),
        incident.owner,
        incident.fix.author if incident.fix else "",
        incident.detection.by if incident.detection else "",
    )
    return {name for name in actors if name and name != me and not is_group(name)}


def _replaced(text: str, word: str, instead: str) -> str:
    return re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", instead, text, flags=re.IGNORECASE)
