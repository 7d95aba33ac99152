"""Values out of the results of an incident, each with its source and its form. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

import msgspec

from homing.insight.figures import span_text
from homing.review.blocks import Again, Block, Code, Inline, Source, Value, is_figure
from homing.review.incident import Incident

#: the incident itself, and what is worked out from several sources
RECORD: Final = "record"
REVIEW: Final = "review"
EXPLAIN: Final = "explain"
_TITLES: Final = {
    "investigate": "Investigation of the log",
    "investigate_after": "Investigation of a later log",
    "reproduce": "Reproduction",
    "reproduce_model": "The mechanism in a model worker; the service's own was not tried",
    "reproduce_fix": "The same schedules with the fix",
    "explore": "Exploration of the worker's schedules",
    "explore_fix": "Exploration with the fix",
    "verify": "Verification",
    "impact": "Price",
    "impact_whole_week": "Price of a week that is all faulty",
    "objectives": "How the objectives of the running service stood",
    "fired": "When alerts would have fired in the log",
    "redrive": "Dead letters that were sent again",
    EXPLAIN: "When the alerts of an objective notice",
    REVIEW: "Worked out for this page from the other sources",
    RECORD: "The record of the incident",
}


#: 9999-12-31: the last day that can be written down
_LATEST_US: Final = 253_402_214_400_000_000


class Missing(KeyError):
    """There is no such value in the record."""


# --- forms ---


def count(value: Any) -> str:
    return f"{int(value):,}"


def percent(value: Any) -> str:
    """Three digits that count, never an exponent: 0.298%, 70.2%, 0.0123%."""
    return f"{plain(float(value) * 100)}%"


def plain(number: float, digits: int = 3) -> str:
    """So many digits that count, without an exponent: 0.0494, 1234."""
    if number == 0:
        return "0"
    decimal = Decimal(f"{number:.{digits}g}")
    text = format(decimal, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def money(value: Any) -> str:
    """Whole units; a zero of money is no count of deliveries, and is said in words."""
    return "nothing" if not round(float(value)) else f"{float(value):,.0f}"


def number(value: Any) -> str:
    return plain(float(value))


def words(value: Any) -> str:
    return str(value)


def span(value: Any) -> str:
    """A length of time, from seconds."""
    return span_text(Fraction(round(float(value))))


def instant(value: Any) -> str:
    """A time, from ISO 8601 or microseconds: 2026-11-10 10:30 UTC."""
    return moment(value).strftime("%Y-%m-%d %H:%M UTC")


def moment(value: Any) -> datetime:
    """A time as such, from ISO 8601 or microseconds."""
    if isinstance(value, int):
        return datetime.fromtimestamp(min(max(value, 0), _LATEST_US) / 1_000_000, UTC)
    return datetime.fromisoformat(str(value)).astimezone(UTC)


Form = Callable[[Any], str]


class Facts:
    """All that a review may say, by source and path."""

    def __init__(
        self, incident: Incident, name: str, explained: tuple[str, Mapping[str, Any]] | None
    ) -> None:
        """
        Args:
            incident: the record.
            name: what commands call it: a file, or an id.
            explained: the command and the document of `homing slo explain`, where it says anything.
        """
        self.incident = incident
        self._documents: dict[str, Any] = {
            name: one.values for name, one in incident.results.items()
        }
        self._documents[RECORD] = msgspec.to_builtins(incident)
        self._commands = {name: one.command for name, one in incident.results.items()}
        quoted = shlex.quote(name)
        self._commands[RECORD] = f"homing incident show {quoted} --json"
        self._commands[REVIEW] = f"homing review {quoted} --json"
        if explained is not None:
            self._commands[EXPLAIN], self._documents[EXPLAIN] = explained

    def get(self, source: str, path: str) -> Any:
        """What stands there.

        Raises:
            Missing: nothing does.
        """
        found: Any = self._documents.get(source)
        for part in path.split("."):
            try:
                found = found[int(part)] if isinstance(found, list | tuple) else found[part]
            except (KeyError, IndexError, TypeError, ValueError):
                raise Missing(f"{source}: {path}") from None
        if found is None:
            raise Missing(f"{source}: {path}")
        return found

    def has(self, source: str, path: str | None = None) -> bool:
        if path is None:
            return source in self._commands
        try:
            self.get(source, path)
        except Missing:
            return False
        return True

    def find(self, source: str, path: str, default: Any) -> Any:
        return self.get(source, path) if self.has(source, path) else default

    def value(self, source: str, path: str, form: Form = words) -> Value:
        """What stands there, as it is written.

        Raises:
            Missing: nothing does.
        """
        return Value(form(self.get(source, path)), source, path)

    def coded(self, source: str, path: str) -> Inline:
        """A name in the type of code; one that is only a figure is a value."""
        text = str(self.get(source, path))
        return Value(text, source, path) if is_figure(text) else Code(text)

    def derived(self, text: str, formula: str) -> Value:
        """What follows from other values by a formula that names them."""
        return Value(text, REVIEW, formula)

    def again(self, *names: str) -> list[Block]:
        """How the numbers of a section are found again: those of these sources that there are."""
        return [Again(tuple(name for name in names if self.has(name)))]

    def sources(self, used: set[str]) -> tuple[Source, ...]:
        """Those that are used, in the order in which things were found."""
        found = []
        for name in [*self.incident.results, EXPLAIN, REVIEW, RECORD]:
            if name not in used or name not in self._commands:
                continue
            result = self.incident.results.get(name)
            found.append(
                Source(
                    name=name,
                    title=_TITLES.get(name, name.replace("_", " ").capitalize()),
                    command=self._commands[name],
                    at=instant(result.at_us) if result else "",
                    by=result.by if result else "",
                    inputs=tuple((one.name, one.sha256) for one in result.inputs) if result else (),
                )
            )
        return tuple(found)
