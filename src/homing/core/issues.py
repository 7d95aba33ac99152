"""Issues: dead letters that died of the same thing, and what people said to it.

How many dead letters an issue has, how old they are and what they are worth is never kept: it is
counted from the rows. Kept is what rows cannot say: when it was first and last seen, how often,
and what somebody decided.

| state | means | what a new death does |
|---|---|---|
| open | nobody has looked at it yet | nothing |
| acknowledged | somebody is at it | nothing |
| muted | known, and not to be told of | nothing |
| resolved | done with, or none is left | opens it again: a regression |
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from hashlib import sha256
from typing import Final

import msgspec

from homing.core.identifiers import ENTROPY_BYTES, new_id
from homing.core.lifecycle import Delivery
from homing.core.resources import Resource

PREFIX: Final = "iss_"
#: longest text that errors are told apart by
_FINGERPRINT_MAX: Final = 120
#: who resolves an issue that has no dead letters left
EMPTIED_BY: Final = "nobody: none is left"

_STATUS: Final = re.compile(r"status (\d{3})")
#: what differs from one error to the next of the same kind, and what stands for it
_VARIABLE: Final = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.I), "<id>"),
    (re.compile(r"\b0x[0-9a-f]+\b|\b(?=[a-f]*\d)[0-9a-f]{12,}\b", re.I), "<id>"),
    (re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?\b"), "<address>"),
    (re.compile(r"\[?(?:[0-9a-f]{0,4}:){3,7}[0-9a-f]{0,4}\]?(?::\d+)?", re.I), "<address>"),
    (re.compile(r"\d+"), "<n>"),
    (re.compile(r"\s+"), " "),
)


class IssueState(StrEnum):
    """What people say to an issue."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    MUTED = "muted"
    RESOLVED = "resolved"


class IssueKey(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What dead letters of one issue have in common."""

    app_id: str
    endpoint_id: str
    reason: str  #: a `DeadReason`
    status: int | None  #: HTTP status of the last answer; None: there was none
    fingerprint: str  #: the last error without what differs each time; empty where a status says it

    @property
    def digest(self) -> str:
        """The same for the same key, wherever it is made: 40 hexadecimal digits."""
        parts = (self.app_id, self.endpoint_id, self.reason, self.status, self.fingerprint)
        return sha256(msgspec.json.encode(parts)).hexdigest()[:40]


class Issue(Resource, frozen=True, kw_only=True):
    """Dead letters that died of the same thing. Scope: the application; uid: its key's digest."""

    kind = "issue"

    endpoint_id: str
    reason: str
    status: int | None = None
    fingerprint: str = ""
    state: IssueState = IssueState.OPEN
    state_by: str | None = None  #: who put it into this state; None: a death did
    state_at_us: int = 0
    note: str | None = None  #: what that person said
    first_seen_at_us: int  #: when the first one died
    last_seen_at_us: int
    deaths: int = 0  #: ever; a delivery that was redriven and died again counts again
    regressions: int = 0  #: times that a death opened it again
    expired: int = 0  #: dead letters whose retention ended before anybody handled them
    expired_at_us: int | None = None  #: when the last of those went
    merged_into: str | None = None  #: the issue that it is part of; that one is never merged itself

    @property
    def root_id(self) -> str:
        """The issue that it counts as."""
        return self.merged_into or self.id


class Filed(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One dead letter's place: a row beside its row in history, written in the same commit."""

    message_id: str
    endpoint_id: str
    app_id: str
    issue_id: str  #: that it was filed under, whatever that was merged into
    died_at_us: int
    currency: str | None = None  #: what its payload said is at stake
    micro: int | None = None  #: in millionths; None iff `currency` is
    discarded_at_us: int | None = None  #: it was withdrawn, and can be brought back


class Burden(msgspec.Struct, frozen=True, kw_only=True):
    """The dead letters of some issues, counted from their rows."""

    count: int = 0
    oldest_at_us: int | None = None  #: when the one that died first did
    newest_at_us: int | None = None
    micro: dict[str, int] = {}  #: at stake, by currency, in millionths

    def __add__(self, other: Burden) -> Burden:
        oldest = [at for at in (self.oldest_at_us, other.oldest_at_us) if at is not None]
        newest = [at for at in (self.newest_at_us, other.newest_at_us) if at is not None]
        codes = {*self.micro, *other.micro}
        return Burden(
            count=self.count + other.count,
            oldest_at_us=min(oldest, default=None),
            newest_at_us=max(newest, default=None),
            micro={c: self.micro.get(c, 0) + other.micro.get(c, 0) for c in sorted(codes)},
        )


def key_of(dead: Delivery) -> IssueKey:
    """The issue that a dead letter belongs to, by its last error."""
    error = dead.last_error or ""
    found = _STATUS.fullmatch(error)
    return IssueKey(
        app_id=dead.app_id,
        endpoint_id=dead.endpoint_id,
        reason=str(dead.reason),
        status=int(found[1]) if found else None,
        fingerprint="" if found else fingerprint(error),
    )


def fingerprint(error: str) -> str:
    """The text of an error without its numbers, addresses and identifiers."""
    # A text for people may hold what no database takes; see `_storable` of PostgreSQL.
    text = error.replace("\0", " ").encode("utf-8", "replace").decode()
    for pattern, stand_in in _VARIABLE:
        text = pattern.sub(stand_in, text)
    return text.strip()[:_FINGERPRINT_MAX]


def new_issue(key: IssueKey, at_us: int) -> Issue:
    """An issue that nothing was filed under yet.

    Args:
        at_us: when the first of it died. The id sorts by that, and is made of nothing but this and
            the key, so that it takes no chance.
    """
    entropy = bytes.fromhex(key.digest)[:ENTROPY_BYTES]
    return Issue(
        scope=key.app_id,
        id=new_id(PREFIX, max(at_us, 1_400_000_000_000_000), entropy),
        uid=key.digest,
        created_at_us=at_us,
        updated_at_us=at_us,
        endpoint_id=key.endpoint_id,
        reason=key.reason,
        status=key.status,
        fingerprint=key.fingerprint,
        state_at_us=at_us,
        first_seen_at_us=at_us,
        last_seen_at_us=at_us,
    )


def seen(issue: Issue, *, first_us: int, last_us: int, deaths: int) -> Issue:
    """After so many new deaths, the first and the last of them at these times."""
    return msgspec.structs.replace(
        issue,
        first_seen_at_us=min(issue.first_seen_at_us, first_us),
        last_seen_at_us=max(issue.last_seen_at_us, last_us),
        deaths=issue.deaths + deaths,
    )


def reopened(issue: Issue, at_us: int) -> Issue:
    """With a dead letter in it again: a resolved one is open, and that is a regression."""
    if issue.state is not IssueState.RESOLVED:
        return issue
    return msgspec.structs.replace(
        issue,
        state=IssueState.OPEN,
        state_by=None,
        state_at_us=at_us,
        note=None,
        regressions=issue.regressions + 1,
    )


def emptied(issue: Issue, at_us: int) -> Issue:
    """With no dead letter left: resolved, unless somebody muted it, who wants to hear no more."""
    if issue.state not in (IssueState.OPEN, IssueState.ACKNOWLEDGED):
        return issue
    return decided(issue, IssueState.RESOLVED, by=EMPTIED_BY, note=None, at_us=at_us)


def expired(issue: Issue, count: int, at_us: int) -> Issue:
    """After dead letters went because their retention ended: nothing goes without a trace."""
    return msgspec.structs.replace(issue, expired=issue.expired + count, expired_at_us=at_us)


def decided(issue: Issue, state: IssueState, *, by: str, note: str | None, at_us: int) -> Issue:
    """After somebody's decision."""
    return msgspec.structs.replace(issue, state=state, state_by=by, state_at_us=at_us, note=note)


def written(before: Issue, after: Issue, at_us: int) -> Issue | None:
    """What is to be stored of a change; None: nothing changed."""
    if after == before:
        return None
    return msgspec.structs.replace(
        after, version=before.version + 1, updated_at_us=max(at_us, before.updated_at_us)
    )


def merged(issues: Mapping[str, Issue], into: Issue, *, at_us: int) -> list[Issue]:
    """What is to be stored so that these issues are part of another.

    They are done with by themselves; where one of them was open and the other was resolved, that
    is open now.

    Args:
        issues: by id, with all that were merged into them before; none of them is `into`.
        into: not merged itself. It is written too, so that whoever merges it meanwhile is refused.
        at_us: now.
    """
    assert into.merged_into is None
    by = f"merged into {into.id}"
    parts = [
        msgspec.structs.replace(
            decided(one, IssueState.RESOLVED, by=by, note=one.note, at_us=at_us),
            merged_into=into.id,
            version=one.version + 1,
            updated_at_us=at_us,
        )
        for _, one in sorted(issues.items())
    ]
    is_open = any(one.state is IssueState.OPEN for one in issues.values())
    root = reopened(into, at_us) if is_open else into
    return [*parts, msgspec.structs.replace(root, version=into.version + 1, updated_at_us=at_us)]
