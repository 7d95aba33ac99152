"""What is at stake, read out of payloads."""

from __future__ import annotations

import pytest

from homing.core.money import Money, MoneyPaths, amounts, decimal_text, money_in

PATHS = MoneyPaths(amount="data.amount", currency="data.currency")


def says(amount: str, currency: str = '"EUR"') -> bytes:
    return f'{{"data":{{"amount":{amount},"currency":{currency}}}}}'.encode()


@pytest.mark.parametrize(
    ("amount", "micro"),
    [
        ("12.5", 12_500_000),
        ('"19.99"', 19_990_000),
        ("0.1", 100_000),
        ("-3", -3_000_000),
        ("1e3", 1_000_000_000),
        ("0.000001", 1),
        ("999999999999.999999", 999_999_999_999_999_999),
    ],
)
def test_a_number_is_read_as_it_is_written(amount: str, micro: int) -> None:
    assert money_in(says(amount), PATHS) == Money("EUR", micro)


@pytest.mark.parametrize(
    "amount",
    ["0.0000001", "1e12", "1e400", "true", "null", '"abc"', '"NaN"', '"Infinity"', "[1]", "1" * 30],
)
def test_what_is_no_amount_of_money_is_not_taken_for_one(amount: str) -> None:
    assert money_in(says(amount), PATHS) is None


@pytest.mark.parametrize("currency", ["null", '"EURO"', '"e1r"', "978", '""'])
def test_an_amount_without_a_currency_is_not_money(currency: str) -> None:
    assert money_in(says("1", currency), PATHS) is None


@pytest.mark.parametrize(
    ("code", "micro"), [("EUR", 12_340_000), ("JPY", 1_234_000_000), ("KWD", 1_234_000)]
)
def test_minor_units_are_those_of_the_currency(code: str, micro: int) -> None:
    paths = MoneyPaths(amount="cents", currency_code=code, minor_units=True)
    assert money_in(b'{"cents": 1234}', paths) == Money(code, micro)


def test_a_number_in_a_path_is_a_place_in_a_list() -> None:
    paths = MoneyPaths(amount="lines.1.total", currency_code="usd")
    assert money_in(b'{"lines": [{"total": 1}, {"total": 2}]}', paths) == Money("USD", 2_000_000)
    assert money_in(b'{"lines": [{"total": 1}]}', paths) is None


@pytest.mark.parametrize("payload", [b"not json", b"[]", b"7", b"{}", b"[" * 100_000, None])
def test_a_payload_of_another_shape_says_nothing(payload: bytes | None) -> None:
    assert money_in(payload, PATHS) is None


def test_nothing_is_declared_nothing_is_at_stake() -> None:
    assert money_in(says("1"), None) is None


def test_amounts_are_written_exactly() -> None:
    assert amounts({"USD": 10_000_000, "EUR": -1_234_567}) == {"EUR": "-1.234567", "USD": "10.00"}
    assert [decimal_text(n) for n in (0, 1, 100_000)] == ["0.00", "0.000001", "0.10"]
