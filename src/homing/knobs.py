"""What a setting can be: a bounded number, a secret, a channel's URL; and how its text is read."""

from __future__ import annotations

import dataclasses
import ipaddress
import math
import re
import types
import typing
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

from homing.core.identifiers import made_at_us

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


_URL: Final = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
#: what comes between two of them
_NEXT_URL: Final = re.compile(rf"[\s,]+(?={_URL.pattern})|\s+", re.IGNORECASE)

#: what a browser's policy takes: nothing in it can end a directive or begin another
_ORIGIN: Final = re.compile(
    r"https?://(\*\.)?([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]*[a-z0-9])?(:[0-9]{1,5})?",
    re.IGNORECASE,
)

#: how to make a good one, on any machine that has Homing
SECRET_RECIPE: Final = "`python3 -c 'import secrets; print(secrets.token_urlsafe(32))'`"  # noqa: S105


@dataclass(frozen=True, slots=True)
class SecretText:
    """A text that does not show itself; `reveal` gives it. Empty: not set."""

    _text: str = ""

    def reveal(self) -> str:
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __repr__(self) -> str:
        return "********"

    __str__ = __repr__


class ChannelUrl(SecretText):
    """A URL that alerts go to; it has credentials in it, so it does not show itself."""

    __slots__ = ()


class Origin(str):
    """A scheme, a host and perhaps a port, as a browser names whose page it is."""

    __slots__ = ()


class Allowance(NamedTuple):
    """Networks that the endpoints of one application may be in."""

    app_id: str
    networks: tuple[Network, ...]

    def __str__(self) -> str:
        return f"{self.app_id}={','.join(map(str, self.networks))}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Knob:
    """What a setting means and what it may be."""

    meaning: str
    low: float = -math.inf
    high: float = math.inf


def knob(default: Any, meaning: str, *, low: float = -math.inf, high: float = math.inf) -> Any:
    """A field of Settings; the unit is the end of its name: `_s` seconds, `_h` hours, `_d` days."""
    return dataclasses.field(
        default=default, metadata={"knob": Knob(meaning=meaning, low=low, high=high)}
    )


def is_secret(kind: Any) -> bool:
    return any(name in str(kind) for name in ("SecretText", "ChannelUrl"))


def read_value(kind: Any, text: str, limits: Knob) -> Any:
    """`text` as a value of type `kind`. Raises: ValueError, whose text says what was expected."""
    if kind is str:
        return text
    if kind is SecretText:
        return _parse_secret(text, limits) if text else SecretText()
    if kind is int or kind is float:
        return _parse_number(kind, text, limits)
    if typing.get_origin(kind) is Literal:
        if text not in typing.get_args(kind):
            raise ValueError(f"expected {' or '.join(typing.get_args(kind))}")
        return text
    element = typing.get_args(kind)[0]
    if element is ChannelUrl:
        return _parse_channels(text)
    if element is Allowance:
        return _parse_allowances(text)
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if element is SecretText:
        return tuple(_parse_secret(part, limits) for part in parts)
    if element is Origin:
        return tuple(_parse_origin(part) for part in parts)
    if isinstance(element, types.UnionType):
        return tuple(_parse_network(part) for part in parts)
    return tuple(_parse_number(element, part, limits) for part in parts)


def _parse_number(kind: type[int] | type[float], text: str, limits: Knob) -> int | float:
    word = "a whole number" if kind is int else "a number"
    try:
        number = kind(text)
    except ValueError:
        raise ValueError(f"expected {word}, {limits.low:,g} to {limits.high:,g}") from None
    if not limits.low <= number <= limits.high:
        raise ValueError(f"expected {limits.low:,g} to {limits.high:,g}")
    return number


def _parse_secret(text: str, limits: Knob) -> SecretText:
    if not limits.low <= len(text) <= limits.high:
        raise ValueError(
            f"expected {limits.low:.0f} to {limits.high:.0f} characters; "
            f"make one with {SECRET_RECIPE}"
        )
    return SecretText(text)


def _parse_origin(text: str) -> Origin:
    """Raises: ValueError: it would mean more, or other, pages than whoever wrote it thinks."""
    if not _ORIGIN.fullmatch(text):
        raise ValueError(
            "expected origins such as https://app.example.com, without a path, separated by commas"
        )
    return Origin(text.lower())


def _parse_network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise ValueError(f"expected networks such as 10.1.0.0/16; {error}") from None


def _parse_channels(text: str) -> tuple[ChannelUrl, ...]:
    """URLs that a space or a comma separates; a comma within one does not begin another."""
    parts = [part.strip() for part in _NEXT_URL.split(text.strip()) if part.strip()]
    for number, part in enumerate(parts, 1):
        if not _URL.match(part):
            raise ValueError(
                "expected URLs such as mailto://user:password@example.org, separated by spaces; "
                f"number {number} does not begin with scheme://"
            )
    return tuple(map(ChannelUrl, parts))


def _parse_allowances(text: str) -> tuple[Allowance, ...]:
    found: dict[str, Allowance] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        app_id, _, listed = (piece.strip() for piece in part.partition("="))
        try:
            made_at_us(app_id)
        except ValueError:
            app_id = ""
        networks = tuple(_parse_network(one.strip()) for one in listed.split(",") if one.strip())
        if not app_id.startswith("app_") or not networks:
            raise ValueError(f"expected an application's id and networks, app_…=…, found {part!r}")
        if app_id in found:
            raise ValueError(f"expected each application once, found {app_id} again")
        found[app_id] = Allowance(app_id, networks)
    return tuple(found.values())
