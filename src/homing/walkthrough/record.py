"""The record of an incident as a story may use it: looked-up places, values, who did what. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from homing.review.evidence import Behind, LogRow, behind
from homing.review.facts import Facts, Missing, count, moment, percent, plain, words
from homing.review.incident import ActionKind, Aspect, CauseStatus, Digest, Incident

RECORD: Final = "record"
#: words by which a factor is about people and not about code
_ORGANISATION: Final = ("team", "owner", "objective", "agree", "shared", "review", "process")
#: values that count the lost, of which an example can be shown row by row
_COUNTS_OF_LOSS: Final = (
    "dropped", "rate", "suspects", "hypothesis", "all.before", "all.rate_before", "p5", "at_risk"
)  # fmt: skip
#: statements of which the latest counts: a correction is another entry
_NAMED: Final = (Aspect.OWNER, Aspect.TEAM, Aspect.MANDATE, Aspect.AGREEMENT)
#: what is in the name of an actor that is a group and not a person
_GROUPS: Final = ("team", "squad", "group", "ops", "sre", "department", "platform", "owners")
_ROWS_MAX: Final = 24
#: where the log before ends and the log after begins
_WINDOWS: Final = (
    ("verify:window_before.last_us", "verify:window_after.first_us"),
    ("investigate:log.to", "investigate_after:log.from"),
)


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """Where the record has a value, down to the command that measured it and the rows of a log."""

    source: str  #: "record", or a result: "investigate", "verify" …
    path: str  #: within it: "rate.value"
    value: Any  #: as it stands there
    text: str  #: as it is said
    command: str  #: that finds it again
    by: str = ""
    at_us: int = 0
    files: tuple[Digest, ...] = ()  #: that the command read and wrote, with their hashes
    rows: tuple[LogRow, ...] = ()  #: an example of what was counted, line by line
    behind: Behind | None = None  #: the list of all that was counted
    written: str = ""  #: where a person has it from, as they wrote it down


class Record:
    """An incident, with the names by which claims find things in it."""

    def __init__(self, incident: Incident, name: str = "record.json") -> None:
        """
        Args:
            incident: the record.
            name: what commands call it: a file or an id.
        """
        self.incident = incident
        self.name = name
        self.facts = Facts(incident, name, None)
        self.places = _places(incident)
        encoded = msgspec.json.encode(incident, order="deterministic")
        self.sha256: Final = hashlib.sha256(encoded).hexdigest()

    @property
    def opener(self) -> str:
        """Who opened the incident."""
        return self.incident.timeline[0].actor if self.incident.timeline else self.incident.owner

    @property
    def actors(self) -> set[str]:
        """Everybody who did something in it."""
        return {one.actor for one in self.incident.timeline}

    def place(self, address: str) -> tuple[str, str]:
        """Source and path of "verify:all.after.n", or of "record:@owner.text".

        Raises:
            Missing: a looked-up place that is not there.
        """
        if address.startswith("@"):  # a result itself, not its values: "@verify.by"
            return RECORD, "results." + address[1:]
        source, _, path = address.partition(":")
        if path.startswith("@"):
            name, _, rest = path[1:].partition(".")
            if name not in self.places:
                raise Missing(address)
            path = f"{self.places[name]}.{rest}" if rest else self.places[name]
        return source, path

    def get(self, address: str) -> Any:
        """What stands there.

        Raises:
            Missing: nothing does, or an empty text.
        """
        found = self.facts.get(*self.place(address))
        if found == "":
            raise Missing(address)
        return found

    def has(self, address: str) -> bool:
        try:
            self.get(address)
        except Missing:
            return False
        return True

    def said(self, value: Any, form: str) -> str:
        """A value in words."""
        if form == "money":
            currency = self.facts.find("impact", "currency", "USD")
            amount = f"{float(value):,.0f}"
            return f"${amount}" if currency == "USD" else f"{currency} {amount}"
        return FORMS[form](value)

    def reference(self, address: str, form: str = "words") -> Reference:
        """A value with all that it rests on.

        Raises:
            Missing: it is not there.
        """
        source, path = self.place(address)
        value = self.get(address)
        result = self.incident.results.get(source)
        if source == RECORD and path.startswith("results."):
            result = self.incident.results.get(path.split(".")[1])
        holder: Any = None
        if source == RECORD:
            parent = path.rpartition(".")[0]
            holder = self.facts.find(RECORD, parent, None) if parent else None
        written = holder.get("reference") if isinstance(holder, Mapping) else None
        return Reference(
            source=source,
            path=path,
            value=value,
            text=self.said(value, form),
            command=result.command if result else f"homing incident show {self.name} --json",
            by=result.by if result else _by(holder),
            at_us=result.at_us if result else _at(holder),
            files=(*result.inputs, *result.files) if result else (),
            rows=self.rows(source) if path.startswith(_COUNTS_OF_LOSS) else (),
            behind=behind(self.incident, source, path),
            written=written or "",
        )

    def rows(self, source: str) -> tuple[LogRow, ...]:
        """Lines of the log behind a count: those of its example; none where there is none."""
        found = self.incident.results.get(source)
        if found is None or source not in ("investigate", "verify", "impact"):
            return ()
        read = self.incident.results.get("investigate")
        if read is None:
            return ()
        files = (read.values.get("log") or {}).get("files") or ()
        examples = read.values.get("examples") or ()
        if not files or not examples:
            return ()
        one = examples[0]
        return tuple(
            LogRow(
                # records that were saved before name no file beside each line
                file=str(row.get("file") or files[0]),
                line=int(row["line"]),
                text=_row_text(one, row),
            )
            for row in one.get("rows", ())[:_ROWS_MAX]
            if str(row.get("line", "")).isdigit()
        )

    def is_between(self, address: str) -> bool:
        """Whether an instant lies between the log before and the log after, with no other change.

        The windows are those of the comparison, or else of the two investigations.
        """
        ends = next((ends for ends in _WINDOWS if all(self.has(end) for end in ends)), None)
        if ends is None or not self.has(address):
            return False
        at = moment(self.get(address))
        before, after = (moment(self.get(end)) for end in ends)
        others = [
            one
            for one in self.incident.deployments
            if one.what != "fix" and before <= moment(one.at_us) <= after
        ]
        return before <= at <= after and not others


def _places(incident: Incident) -> dict[str, str]:
    """Where things are that claims call by a name."""
    found: dict[str, str] = {}
    for at, one in enumerate(incident.statements):
        if one.aspect in _NAMED:
            found[one.aspect.value] = f"statements.{at}"
        if one.aspect is Aspect.FACTOR:
            is_about_people = any(word in one.text.lower() for word in _ORGANISATION)
            found.setdefault("organisation" if is_about_people else "factor", f"statements.{at}")
    for at, cause in enumerate(incident.causes):
        if cause.status is CauseStatus.REFUTED:
            found.pop("reproduced", None)
            continue
        found["cause"] = f"causes.{at}"
        if cause.status is CauseStatus.REPRODUCED:
            found["reproduced"] = f"causes.{at}"
    for at, one_deployment in enumerate(incident.deployments):
        if one_deployment.what == "fix":
            found["deployment"] = f"deployments.{at}"
    for at, action in enumerate(incident.actions):
        if action.kind is ActionKind.PREVENT:
            found.setdefault("proposal", f"actions.{at}")
            for line, entry in enumerate(incident.timeline):
                if entry.reference == action.name and entry.text.startswith("planned"):
                    found.setdefault("proposal_entry", f"timeline.{line}")
    if incident.adoptions:
        found["adoption"] = "adoptions.0"
    mandate = found.get("mandate")
    said = incident.statements[int(mandate.partition(".")[2])] if mandate else None
    files = {one.name for one in incident.evidence}
    for at, entry in enumerate(incident.timeline):
        if said is not None and (entry.text, entry.reference) == (said.text, said.reference):
            found["looked"] = f"timeline.{at}"
        if (
            "alert" in entry.text
            and entry.reference
            and (entry.reference in files or "://" in entry.reference)
        ):
            found.setdefault("alert", f"timeline.{at}")
    return found


def _row_text(example: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    lane = f", worker {row['lane']}" if row.get("lane") else ""
    return (
        f"{example.get('delivery', '')}{lane}: {row.get('what', '')} {row.get('state', '')}".strip()
    )


def _by(holder: Any) -> str:
    if not isinstance(holder, Mapping):
        return ""
    return str(holder.get("by") or holder.get("author") or holder.get("actor") or "")


def _at(holder: Any) -> int:
    return int(holder.get("at_us") or 0) if isinstance(holder, Mapping) else 0


def is_group(name: str) -> bool:
    """Whether an actor is a team, whose name takes an article and is no person's."""
    return any(word in name.lower() for word in _GROUPS)


def day(value: Any) -> str:
    """A day as one says it: Monday, 16 November."""
    at = moment(value)
    return f"{at:%A}, {at.day} {at:%B}"


def date(value: Any) -> str:
    """A day that was written as 2026-12-01: 1 December."""
    at = moment(f"{value}T00:00:00+00:00")
    return f"{at.day} {at:%B}"


FORMS: Final[dict[str, Callable[[Any], str]]] = {
    "words": words,
    "count": count,
    "percent": percent,
    "number": lambda value: plain(float(value)),
    "day": day,
    "date": date,
}
