"""An incident as a record: what was noticed, found, mended and proven, by whom and when.

Rule 1: every change of an incident is a `Change`, and only `add` makes one.
Rule 2: the timeline is only ever appended to; a mistake is corrected by another entry.
Rule 3: time and actor are arguments. Nothing here asks for them.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any, Final

import msgspec

from homing.core.errors import Conflict, Invalid, Problem
from homing.core.resources import Resource
from homing.insight.burn import parse_target

#: entries of one timeline: a person reads it
TIMELINE_MAX: Final = 1_000
TEXT_MAX: Final = 4_000
#: what the timeline puts before a statement that is only a name
_SAID: Final = {"owner": "whose service it is: ", "team": "team: "}
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_NUL: Final = "\x00"


class Status(StrEnum):
    """Where it stands."""

    OPEN = "open"  #: it goes on, or may go on
    MITIGATED = "mitigated"  #: a fix is deployed
    CLOSED = "closed"  #: told, and what follows has owners


class CauseStatus(StrEnum):
    """How sure a cause is."""

    SUSPECTED = "suspected"  #: a log points at it
    REPRODUCED = "reproduced"  #: it was made to happen
    REFUTED = "refuted"  #: it was not that


class ActionKind(StrEnum):
    """What a follow-up does about the next one."""

    PREVENT = "prevent"
    DETECT = "detect"
    MITIGATE = "mitigate"


class Aspect(StrEnum):
    """Which section of the review a statement of a person belongs to."""

    NOTE = "note"
    FACTOR = "factor"  #: what contributed
    TESTS = "tests"  #: why tests did not show it
    ALERTS = "alerts"  #: why alerts did not
    RECOVERY = "recovery"  #: what was sent again, what is still missing
    UNKNOWN = "unknown"  #: what the data cannot show
    OWNER = "owner"  #: the team whose service it is: its name
    TEAM = "team"  #: the team of who writes this: its name
    AGREEMENT = "agreement"  #: what was agreed with the owners: "showed the fix to …"
    MANDATE = "mandate"  #: who asked for it, or where no ticket was found


class Digest(msgspec.Struct, frozen=True, kw_only=True):
    """A file that a result rests on, so that the same one can be told from another."""

    name: str  #: as it was named on the command line
    sha256: str
    size_bytes: int
    is_kept: bool = False  #: its text is in the record


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What a command found: every number on the page comes from one."""

    step: str  #: "investigate", "reproduce", "verify", "impact"
    command: str  #: the line that finds it again
    at_us: int
    by: str
    inputs: tuple[Digest, ...] = ()
    files: tuple[Digest, ...] = ()  #: that it wrote
    values: dict[str, Any] = {}  #: the command's JSON


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """What brought it about, and how sure that is."""

    status: CauseStatus
    text: str
    at_us: int
    by: str


class Detection(msgspec.Struct, frozen=True, kw_only=True):
    """How it came to be noticed."""

    at_us: int
    by: str  #: a person, or a team
    alert: str | None = None  #: which one; None: no alert did
    how: str = ""


class Fix(msgspec.Struct, frozen=True, kw_only=True):
    """The change that mends it."""

    author: str
    link: str | None = None  #: of the change
    diff: str | None = None
    text: str = ""


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """When a change came to production."""

    at_us: int
    by: str
    commit: str | None = None
    what: str = "fix"  #: "fix", or "change": what may have begun it


class Adoption(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody else took up what this incident taught."""

    at_us: int
    by: str
    what: str
    reference: str | None = None


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """A follow-up: one thing, one owner, one day."""

    name: str  #: "a1", "a2", … within the incident
    text: str
    owner: str
    due: str  #: a day, 2026-12-01
    kind: ActionKind
    done_at_us: int | None = None


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """What a person says; a number in it is theirs, and needs where they have it from."""

    aspect: Aspect
    text: str
    by: str
    at_us: int
    reference: str | None = None


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the timeline."""

    at_us: int  #: when it happened
    actor: str
    text: str
    reference: str | None = None  #: a link, a file, a line of a log
    step: str | None = None  #: the command that added it
    written_at_us: int = 0  #: when it was written down


class Incident(Resource, frozen=True, kw_only=True):
    """A recorded problem. Scope: the organisation; in a file: empty."""

    kind = "incident"

    title: str
    status: Status = Status.OPEN
    severity: str = "unrated"
    owner: str = ""
    service: str = ""  #: whose deliveries it is about
    objective: str = "99.9%"  #: the target that its alerts are judged by
    period_days: int = 30
    detection: Detection | None = None
    causes: tuple[Cause, ...] = ()
    token: str | None = None  #: has the reproduced schedule again
    fix: Fix | None = None
    deployments: tuple[Deployment, ...] = ()
    results: dict[str, Result] = {}  #: the latest of each name
    #: texts of small files that results rest on, by hash: a worker is changed by its fix, and what
    #: was found before must be found again
    kept: dict[str, str] = {}
    statements: tuple[Statement, ...] = ()
    evidence: tuple[Digest, ...] = ()
    adoptions: tuple[Adoption, ...] = ()
    actions: tuple[Action, ...] = ()
    timeline: tuple[Entry, ...] = ()


# --- what may be added ---


class Detected(msgspec.Struct, frozen=True, kw_only=True, tag="detected"):
    """It was noticed."""

    detection: Detection


class Said(msgspec.Struct, frozen=True, kw_only=True, tag="said"):
    """Somebody states something."""

    text: str
    aspect: Aspect = Aspect.NOTE
    reference: str | None = None
    happened_at_us: int | None = None


class Linked(msgspec.Struct, frozen=True, kw_only=True, tag="linked"):
    """A file or an address belongs to it."""

    reference: str
    text: str = ""
    digest: Digest | None = None
    happened_at_us: int | None = None


class Found(msgspec.Struct, frozen=True, kw_only=True, tag="found"):
    """A command has found something."""

    name: str  #: of the result: the step, or step and a word
    result: Result
    text: str
    cause: CauseStatus | None = None
    cause_text: str = ""
    token: str | None = None
    kept: dict[str, str] = {}  #: texts of files by hash


class Mended(msgspec.Struct, frozen=True, kw_only=True, tag="mended"):
    """There is a fix."""

    fix: Fix
    happened_at_us: int | None = None


class Deployed(msgspec.Struct, frozen=True, kw_only=True, tag="deployed"):
    """A change came to production."""

    deployment: Deployment


class Adopted(msgspec.Struct, frozen=True, kw_only=True, tag="adopted"):
    """Somebody took up what it taught."""

    adoption: Adoption


class Planned(msgspec.Struct, frozen=True, kw_only=True, tag="planned"):
    """A follow-up."""

    text: str
    owner: str
    due: str
    kind: ActionKind = ActionKind.PREVENT
    happened_at_us: int | None = None


class Done(msgspec.Struct, frozen=True, kw_only=True, tag="done"):
    """A follow-up is done."""

    name: str
    happened_at_us: int | None = None


class Closed(msgspec.Struct, frozen=True, kw_only=True, tag="closed"):
    """It is over."""

    text: str = ""
    happened_at_us: int | None = None


Change = Detected | Said | Linked | Found | Mended | Deployed | Adopted | Planned | Done | Closed


def opened(
    *,
    scope: str,
    id: str,
    title: str,
    at_us: int,
    actor: str,
    severity: str = "unrated",
    owner: str = "",
    service: str = "",
    objective: str = "99.9%",
) -> Incident:
    """A new incident.

    Raises:
        Invalid: there is no title, a text is too long, or the objective is no target.
    """
    for field, text in (("title", title), ("owner", owner), ("service", service)):
        _check(field, text, is_needed=field == "title")
    try:
        parse_target(objective)
    except ValueError as error:
        raise Invalid([Problem(("body", "objective"), str(error))]) from error
    return Incident(
        scope=scope,
        id=id,
        created_at_us=at_us,
        updated_at_us=at_us,
        title=title,
        severity=severity,
        owner=owner or actor,
        service=service,
        objective=objective,
        timeline=(
            Entry(at_us=at_us, actor=actor, text="opened the incident", written_at_us=at_us),
        ),
    )


def add(incident: Incident, change: Change, *, at_us: int, actor: str) -> Incident:
    """The incident with a change, its version raised by one.

    Args:
        at_us: when it is written down; what happened earlier says so itself.
        actor: who writes it down.

    Raises:
        Conflict: the incident is closed, or has as many entries as one may have.
        Invalid: something in the change is not as it must be.
    """
    if incident.status is Status.CLOSED:
        raise Conflict(f"the incident {incident.title!r} is closed; open another and link this one")
    if len(incident.timeline) >= TIMELINE_MAX:
        raise Conflict(f"an incident has at most {TIMELINE_MAX:,} entries")
    fields, entry = _parts(incident, change, at_us, actor)
    entry = msgspec.structs.replace(entry, written_at_us=at_us)
    return msgspec.structs.replace(
        incident,
        **fields,
        timeline=(*incident.timeline, entry),
        version=incident.version + 1,
        updated_at_us=at_us,
    )


def _parts(
    incident: Incident, change: Change, at_us: int, actor: str
) -> tuple[dict[str, Any], Entry]:
    """The fields that are replaced, and the line that says so."""
    happened = getattr(change, "happened_at_us", None) or at_us

    def entry(text: str, at: int = happened, by: str = actor, **more: Any) -> Entry:
        return Entry(at_us=at, actor=by, text=text, **more)

    match change:
        case Detected(detection=one):
            _check("by", one.by)
            word = f"noticed by the alert {one.alert}" if one.alert else "noticed; no alert fired"
            text = f"{word}: {one.how}" if one.how else word
            return {"detection": one}, entry(text, one.at_us, one.by)
        case Said():
            _check("text", change.text)
            statement = Statement(
                aspect=change.aspect,
                text=change.text,
                by=actor,
                at_us=happened,
                reference=change.reference,
            )
            return {"statements": (*incident.statements, statement)}, entry(
                _SAID.get(change.aspect, "") + change.text, reference=change.reference
            )
        case Linked():
            _check("reference", change.reference)
            evidence = incident.evidence
            if change.digest is not None:
                evidence = (*evidence, change.digest)
            text = change.text or "linked"
            return {"evidence": evidence}, entry(text, reference=change.reference)
        case Found():
            return _found(incident, change, entry)
        case Mended(fix=fix):
            _check("author", fix.author)
            text = f"wrote the fix: {fix.text}" if fix.text else "wrote the fix"
            return {"fix": fix}, entry(text, by=fix.author, reference=fix.link)
        case Deployed(deployment=one):
            _check("by", one.by)
            status = Status.MITIGATED if one.what == "fix" else incident.status
            fields = {"deployments": (*incident.deployments, one), "status": status}
            text = f"deployed the {one.what}"
            return fields, entry(text, one.at_us, one.by, reference=one.commit)
        case Adopted(adoption=one):
            _check("what", one.what)
            return {"adoptions": (*incident.adoptions, one)}, entry(
                f"adopted: {one.what}", one.at_us, one.by, reference=one.reference
            )
        case Planned():
            return _planned(incident, change, entry)
        case Done():
            return _done(incident, change, entry, happened)
        case Closed():
            text = f"closed: {change.text}" if change.text else "closed the incident"
            return {"status": Status.CLOSED}, entry(text)


def _found(incident: Incident, change: Found, entry: Any) -> tuple[dict[str, Any], Entry]:
    result = change.result
    fields: dict[str, Any] = {"results": {**incident.results, change.name: result}}
    if change.cause is not None:
        cause = Cause(status=change.cause, text=change.cause_text, at_us=result.at_us, by=result.by)
        if not incident.causes or incident.causes[-1].status is not cause.status:
            fields["causes"] = (*incident.causes, cause)
    if change.kept:
        fields["kept"] = {**incident.kept, **change.kept}
    if change.token is not None:
        fields["token"] = change.token
    return fields, entry(
        change.text, result.at_us, result.by, reference=result.command, step=result.step
    )


def _planned(incident: Incident, change: Planned, entry: Any) -> tuple[dict[str, Any], Entry]:
    _check("text", change.text)
    _check("owner", change.owner)
    if not _DAY.fullmatch(change.due):
        text = f"expected a day such as 2026-12-01, found {change.due!r}"
        raise Invalid([Problem(("body", "due"), text)])
    action = Action(
        name=f"a{len(incident.actions) + 1}",
        text=change.text,
        owner=change.owner,
        due=change.due,
        kind=change.kind,
    )
    return {"actions": (*incident.actions, action)}, entry(
        f"planned to {change.kind}: {change.text}", reference=action.name
    )


def _done(incident: Incident, change: Done, entry: Any, at_us: int) -> tuple[dict[str, Any], Entry]:
    known = {one.name: one for one in incident.actions}
    if change.name not in known:
        names = ", ".join(known) or "none yet"
        text = f"expected a follow-up ({names}), found {change.name!r}"
        raise Invalid([Problem(("body", "name"), text)])
    actions = tuple(
        msgspec.structs.replace(one, done_at_us=at_us) if one.name == change.name else one
        for one in incident.actions
    )
    return {"actions": actions}, entry(f"done: {known[change.name].text}", reference=change.name)


def _check(field: str, text: str, *, is_needed: bool = True) -> None:
    if (is_needed and not text.strip()) or len(text) > TEXT_MAX or _NUL in text:
        problem = f"expected a text of 1 to {TEXT_MAX:,} characters, found {len(text):,}"
        raise Invalid([Problem(("body", field), problem)])
