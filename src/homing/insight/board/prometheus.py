"""A service as its Prometheus knows it: which queries are asked, and a standing of the answers."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec

from homing.insight.board.standing import (
    NotBelieved,
    Promise,
    Queries,
    ServiceStanding,
    one_line,
)
from homing.insight.figures import exact

_QUERY_MAX: Final = 2_000
_SERIES_MAX: Final = 200
#: longest text of a number, and how far from one it may be, in digits
_NUMBER_MAX: Final = 40
_DIGITS_MAX: Final = 15
#: asked in this order; each is a field of Queries
ASKED: Final = (
    "target",
    "budget_left",
    "exhausted_in_s",
    "unaccounted",
    "audited_at_s",
    "dead",
    "oldest_age_s",
    "money",
)

#: of a Homing whose rules are those of `homing slo rules`; the rate is that of the last day
HOMING_QUERIES: Final = Queries(
    target="homing_slo:target:ratio",
    budget_left="homing_slo:budget_left:ratio",
    exhausted_in_s="clamp_min(homing_slo:budget_left:ratio, 0) * 30 * 86400 "
    "* (1 - homing_slo:target:ratio) * homing_slo:events:increase1d "
    "/ homing_slo:bad_events:increase1d",
    unaccounted="max(homing_unaccounted)",
    audited_at_s="max(homing_audit_timestamp_seconds)",
)


def parse_queries(text: str) -> tuple[Queries, str]:
    """The queries that a TOML file declares, and the owner that it names.

    Raises:
        ValueError: says what was expected and what was found.
    """
    try:
        found: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"expected TOML: {error}") from None
    owner = found.pop("owner", "")
    known = Queries.__struct_fields__
    for name, value in [("owner", owner), *found.items()]:
        if name not in ("owner", *known):
            raise ValueError(f"{name}: no such query; there are {', '.join(known)}, and owner")
        if not isinstance(value, str):
            raise ValueError(f"{name}: expected text, found {type(value).__name__}")
    queries = Queries(**found)
    check_queries(queries)
    return queries, owner


def check_queries(queries: Queries) -> None:
    """Raises: ValueError: nothing is asked, or something too long."""
    if not any(getattr(queries, name) for name in ASKED):
        raise ValueError(f"expected at least one query of {', '.join(ASKED)}, found none")
    for name in Queries.__struct_fields__:
        if len(getattr(queries, name)) > _QUERY_MAX:
            raise ValueError(f"{name}: expected at most {_QUERY_MAX} characters")


class Sample(msgspec.Struct, frozen=True):
    """One series of an answer: its labels, and its value as Prometheus writes it."""

    metric: dict[str, str]
    value: tuple[float, str]


class _Data(msgspec.Struct, frozen=True, rename={"kind": "resultType"}):
    kind: str
    result: msgspec.Raw


class _Answer(msgspec.Struct, frozen=True):
    status: str
    data: _Data | None = None
    error: str = ""


def read_answer(body: bytes) -> list[Sample]:
    """The series of an instant query's answer.

    Source: https://prometheus.io/docs/prometheus/latest/querying/api/, "Instant queries".

    Raises:
        NotBelieved: an error, or no such answer.
    """
    try:
        answer = msgspec.json.decode(body, type=_Answer)
        if answer.status != "success" or answer.data is None:
            raise NotBelieved(f"its Prometheus says: {one_line(answer.error, 200)}")
        if answer.data.kind == "scalar":
            return [Sample({}, msgspec.json.decode(answer.data.result, type=tuple[float, str]))]
        if answer.data.kind == "vector":
            return msgspec.json.decode(answer.data.result, type=list[Sample])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise NotBelieved("its Prometheus answers something else than series") from None
    raise NotBelieved("a query gives a range; expected one value for each series")


def standing_of(
    name: str, queries: Queries, answers: Mapping[str, list[Sample]], *, at_us: int
) -> ServiceStanding:
    """What the answers say. NaN and what has no series is not told.

    Args:
        answers: to the queries that were asked, by their names.

    Raises:
        NotBelieved: nothing has a series: the service, or its series, are gone.
    """
    if not any(answers.values()):
        raise NotBelieved("its Prometheus has none of the series that it is asked for")
    if sum(map(len, answers.values())) > _SERIES_MAX * len(ASKED):
        raise NotBelieved(f"a query gives more than {_SERIES_MAX} series")
    # What is counted and was asked for must be there: silence about drops is not good news.
    for asked in ("unaccounted", "dead"):
        if getattr(queries, asked) and _one(answers.get(asked, [])) is None:
            raise NotBelieved(f"its Prometheus has no series for the query of {asked!r}")
    audited_at_s, age_s = (_one(answers.get(n, [])) for n in ("audited_at_s", "oldest_age_s"))
    return ServiceStanding(
        name=name,
        at_us=at_us,
        promises=tuple(_promises(queries, answers)),
        unaccounted=_count(_one(answers.get("unaccounted", []))),
        audited_at_us=None if audited_at_s is None else _moment(int(audited_at_s * 1_000_000)),
        dead=_count(_one(answers.get("dead", []))),
        oldest_at_us=None if age_s is None else _moment(at_us - int(age_s * 1_000_000)),
        money={
            code: exact(value, digits=6)
            for code, value in _by_label(answers.get("money", []), "currency")
            if len(code) == 3 and code.isascii() and code.isupper()
        },
    )


def _promises(queries: Queries, answers: Mapping[str, list[Sample]]) -> Iterable[Promise]:
    target, left, gone = (
        dict(_by_label(answers.get(name, []), queries.label))
        for name in ("target", "budget_left", "exhausted_in_s")
    )
    for name in sorted({*target, *left}):
        spent = left.get(name)
        yield Promise(
            name=name,
            target=None if name not in target else exact(target[name], digits=12),
            period=queries.period,
            left=None if spent is None else exact(spent, digits=6),
            exhausted_in_s=0.0 if spent is not None and spent <= 0 else _float(gone.get(name)),
        )


def _by_label(samples: Iterable[Sample], label: str) -> Iterable[tuple[str, Decimal]]:
    for one in samples:
        number = _number(one.value[1])
        if number is not None:
            yield one_line(one.metric.get(label, "")) or "objective", number


def _one(samples: list[Sample]) -> Decimal | None:
    if len(samples) > 1:
        raise NotBelieved("a query gives several series where one number is expected: use sum(…)")
    return _number(samples[0].value[1]) if samples else None


def _number(text: str) -> Decimal | None:
    """What it says; None for NaN, the infinities and what is out of all proportion."""
    try:
        number = Decimal(text if len(text) <= _NUMBER_MAX else "")
    except InvalidOperation:
        return None
    if not number.is_finite():
        return None
    return number if number == 0 or abs(number.adjusted()) < _DIGITS_MAX else None


def _count(number: Decimal | None) -> int | None:
    """Rounded up: a part of a dropped delivery is a dropped delivery."""
    return None if number is None else max(math.ceil(number), 0)


def _moment(at_us: int) -> int:
    return max(at_us, 0)


def _float(number: Decimal | None) -> float | None:
    return None if number is None else min(max(float(number), 0.0), 1e12)
