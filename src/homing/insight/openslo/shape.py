"""What a value must look like: a small language for schemas, whose complaints have lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple, Protocol

from homing.insight.openslo.document import Node, Problem


class Place(NamedTuple):
    """Where a value stands."""

    file: str
    path: str

    def at(self, name: str | int) -> Place:
        step = f"[{name}]" if isinstance(name, int) else f".{name}" if self.path else name
        return Place(self.file, f"{self.path}{step}")

    def problem(self, node: Node, text: str) -> Problem:
        return Problem(self.file, node.line, self.path, text)


class Shape(Protocol):
    """Finds what is wrong with a value."""

    def check(self, node: Node, place: Place) -> Iterator[Problem]: ...


class Text(NamedTuple):
    """A text."""

    max_length: int = 0  #: 0: any
    pattern: str = ""  #: of the whole text
    like: str = "a text"  #: what is expected, in words

    def check(self, node: Node, place: Place) -> Iterator[Problem]:
        value = node.value
        if not isinstance(value, str):
            yield place.problem(node, f"expected {self.like}, found {shown(value)}")
        elif self.max_length and len(value) > self.max_length:
            yield place.problem(
                node, f"expected at most {self.max_length} characters, found {len(value)}"
            )
        elif self.pattern and not re.fullmatch(self.pattern, value):
            yield place.problem(node, f"expected {self.like}, found {value!r}")


class OneOf(NamedTuple):
    """One of a few words."""

    words: tuple[str, ...]

    def check(self, node: Node, place: Place) -> Iterator[Problem]:
        if node.value not in self.words or not isinstance(node.value, str):
            expected = " or ".join(self.words)
            yield place.problem(node, f"expected {expected}, found {shown(node.value)}")


class Number(NamedTuple):
    """A number within bounds."""

    low: Decimal | None = None
    high: Decimal | None = None
    low_open: bool = False
    high_open: bool = False

    def check(self, node: Node, place: Place) -> Iterator[Problem]:
        value = node.value
        if not isinstance(value, Decimal):
            yield place.problem(node, f"expected a number, found {shown(value)}")
        elif not self._is_within(value):
            yield place.problem(node, f"expected a number {self._bounds()}, found {value}")

    def _is_within(self, value: Decimal) -> bool:
        low_fits = self.low is None or value > self.low or (value == self.low and not self.low_open)
        high_fits = (
            self.high is None or value < self.high or (value == self.high and not self.high_open)
        )
        return low_fits and high_fits

    def _bounds(self) -> str:
        parts = []
        if self.low is not None:
            parts.append(f"{'above' if self.low_open else 'from'} {self.low}")
        if self.high is not None:
            parts.append(f"{'below' if self.high_open else 'up to'} {self.high}")
        return " and ".join(parts)


class Flag(NamedTuple):
    """true or false."""

    def check(self, node: Node, place: Place) -> Iterator[Problem]:
        if not isinstance(node.value, bool):
            yield place.problem(node, f"expected true or false, found {shown(node.value)}")


class Anything(NamedTuple):
    """A map with any names, at least so many."""

    names_min: int = 0

    def check(self, node: Node, place: Place) -> Iterator[Problem]:
        if not isinstance(node.value, dict):
            yield place.problem(node, f"expected a map, found {shown(node.value)}")
        elif len(node.value) < self.names_min:
            yield place.problem(node, "expected at least one name in this map")


class MapOf(NamedTuple):
    """A map of any names to values of one shape."""

    shape: Any
    name: Callable[[str], str | None] = lambda name: None  #: what is wrong with a name

    def check(self, node: Node, place: Place) -> Iterator[Problem]:
        if not isinstance(node.value, dict):
            yield place.problem(node, f"expected a map, found {shown(node.value)}")
            return
        for name, value in node.value.items():
            wrong = self.name(name)
            if wrong:
                yield place.at(name).problem(value, wrong)
            yield from self.shape.check(value, place.at(name))


class ListOf(NamedTuple):
    """A list of values of one shape."""

    shape: Any
    low: int = 0
    high: int | None = None

    def check(self, node: Node, place: Place) -> Iterator[Problem]:
        if not isinstance(node.value, list):
            yield place.problem(node, f"expected a list, found {shown(node.value)}")
            return
        count = len(node.value)
        if count < self.low or (self.high is not None and count > self.high):
            exactly = self.low == self.high
            expected = f"exactly {self.low}" if exactly else f"at least {self.low}"
            yield place.problem(node, f"expected {expected} in this list, found {count}")
        for index, value in enumerate(node.value):
            yield from self.shape.check(value, place.at(index))


class Either(NamedTuple):
    """One of several shapes: the first whose test fits says what is wrong."""

    choices: tuple[tuple[Callable[[Any], bool], Any], ...]
    like: str

    def check(self, node: Node, place: Place) -> Iterator[Problem]:
        for fits, shape in self.choices:
            if fits(node.value):
                yield from shape.check(node, place)
                return
        yield place.problem(node, f"expected {self.like}, found {shown(node.value)}")


Rule = Callable[[dict[str, Node], Node, Place], Iterator[Problem]]


class Object(NamedTuple):
    """A map with known names; what is not known is refused."""

    fields: Mapping[str, Any]
    required: tuple[str, ...] = ()
    rules: Sequence[Rule] = ()

    def check(self, node: Node, place: Place) -> Iterator[Problem]:
        given = node.value
        if not isinstance(given, dict):
            yield place.problem(node, f"expected a map, found {shown(given)}")
            return
        for name in self.required:
            if name not in given:
                yield place.problem(node, f"expected {name!r}, which is missing")
        for name, value in given.items():
            if name not in self.fields:
                known = ", ".join(self.fields)
                yield place.at(name).problem(value, f"expected one of {known}; this is not known")
            else:
                yield from self.fields[name].check(value, place.at(name))
        for rule in self.rules:
            yield from rule(given, node, place)


def exactly_one(*names: str) -> Rule:
    """A rule: one of these is given, and not two."""

    def check(given: dict[str, Node], node: Node, place: Place) -> Iterator[Problem]:
        found = [name for name in names if name in given]
        if len(found) != 1:
            what = " and ".join(found) if found else "none of them"
            at = given[found[1]] if len(found) > 1 else node
            yield place.problem(at, f"expected exactly one of {', '.join(names)}, found {what}")

    return check


def shown(value: Any) -> str:
    """What was found, in a few words."""
    if isinstance(value, dict):
        return "a map"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    return f"the number {value}" if isinstance(value, Decimal) else repr(value)
