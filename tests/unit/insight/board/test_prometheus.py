"""What the answers of a Prometheus say of a service."""

from __future__ import annotations

import msgspec
import pytest

from homing.insight.board.prometheus import (
    HOMING_QUERIES,
    Sample,
    parse_queries,
    read_answer,
    standing_of,
)
from homing.insight.board.standing import NotBelieved, Queries, ServiceStanding

NOW_US = 1_790_000_000_000_000


def series(*values: str, **labels: str) -> list[Sample]:
    return [Sample(labels, (0.0, value)) for value in values]


def told(queries: Queries = HOMING_QUERIES, **answers: list[Sample]) -> ServiceStanding:
    return standing_of("legacy", queries, answers, at_us=NOW_US)


def test_objectives_are_told_apart_by_the_label_and_numbers_stay_decimal() -> None:
    found = told(
        target=series("0.999", slo="delivered") + series("0.9995", slo="acceptance"),
        budget_left=series("0.3", slo="delivered"),
        exhausted_in_s=series("86400", slo="delivered"),
        unaccounted=series("0"),
        audited_at_s=series("1789999990"),
    )
    assert [(one.name, one.target, one.left, one.exhausted_in_s) for one in found.promises] == [
        ("acceptance", "0.9995", None, None),
        ("delivered", "0.999", "0.3", 86_400.0),
    ]
    assert (found.unaccounted, found.audited_at_us) == (0, 1_789_999_990_000_000)
    assert (found.dead, found.money) == (None, {})


def test_money_is_by_currency_and_never_added_together() -> None:
    queries = Queries(dead="d", money="m", oldest_age_s="o")
    found = told(
        queries,
        dead=series("3"),
        oldest_age_s=series("60"),
        money=series("12.5", currency="EUR") + series("3", currency="USD"),
    )
    assert found.money == {"EUR": "12.5", "USD": "3"}
    assert found.oldest_at_us == NOW_US - 60_000_000


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-Inf", "1e300", "sNaN", "0." + "3" * 200, ""])
def test_what_is_no_number_is_not_told(value: str) -> None:
    found = told(unaccounted=series("0"), exhausted_in_s=series(value, slo="x"),
                 budget_left=series(value, slo="x"), target=series("0.9", slo="x"))  # fmt: skip
    assert [(one.left, one.exhausted_in_s) for one in found.promises] == [(None, None)]


def test_a_part_of_a_drop_is_a_drop() -> None:
    assert told(unaccounted=series("0.2")).unaccounted == 1


@pytest.mark.parametrize(
    "answers",
    [
        {},
        {"unaccounted": [], "target": []},
        {"target": series("0.9", slo="x")},
        {"unaccounted": series("NaN")},
        {"unaccounted": series("0", "0")},
    ],
)
def test_silence_about_drops_is_trouble_and_not_zero(answers: dict[str, list[Sample]]) -> None:
    with pytest.raises(NotBelieved):
        told(**answers)


def test_answers_are_read_as_prometheus_writes_them() -> None:
    vector = {"resultType": "vector", "result": [{"metric": {"slo": "x"}, "value": [1.5, "2"]}]}
    scalar = {"resultType": "scalar", "result": [1.5, "3"]}
    for data, expected in ((vector, Sample({"slo": "x"}, (1.5, "2"))),
                           (scalar, Sample({}, (1.5, "3")))):  # fmt: skip
        body = msgspec.json.encode({"status": "success", "data": data, "warnings": []})
        assert read_answer(body) == [expected]


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"[" * 100_000,
        b"{}",
        b'{"status":"error","errorType":"bad_data","error":"parse\\u001b error"}',
        b'{"status":"success","data":{"resultType":"matrix","result":[]}}',
        b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,2]}]}}',
    ],
)
def test_other_answers_are_not_believed(body: bytes) -> None:
    with pytest.raises(NotBelieved) as caught:
        read_answer(body)
    assert "\x1b" not in str(caught.value)


def test_a_file_declares_queries_and_an_owner() -> None:
    text = 'owner = "legacy team"\nlabel = "name"\ndead = "sum(dead)"\n'
    assert parse_queries(text) == (Queries(label="name", dead="sum(dead)"), "legacy team")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("dead = ", "TOML"),
        ('deads = "x"', "deads: no such query"),
        ("dead = 3", "expected text"),
        ('owner = "x"', "at least one query"),
        (f'dead = "{"x" * 2_001}"', "at most 2000"),
    ],
)
def test_mistakes_in_a_file_are_told(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_queries(text)
