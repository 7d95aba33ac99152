"""What is asked of the engine, and asked again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

import duckdb
import pyarrow as arrow

from homing.forensics.engine import Engine, on_duckdb
from homing.forensics.rows import row, rows, sql_of


@pytest.fixture
def engines() -> Iterator[tuple[Engine, Engine]]:
    with duckdb.connect() as one, duckdb.connect() as other:
        yield on_duckdb(one), on_duckdb(other)


def test_the_same_question_is_put_in_words_once_and_answered_each_time(
    engines: tuple[Engine, Engine],
) -> None:
    said, answers = [], []
    for factor, engine in enumerate(engines, 1):
        table = engine.put("numbers", arrow.table({"n": [factor, 2 * factor]}))
        question = table.filter(table.n > 1).aggregate(total=table.n.sum())
        said.append(sql_of(question))
        answers.append(row(question).total)
    assert said[0] is said[1]
    assert answers == [2, 6]
    other = engines[1].put("numbers", arrow.table({"n": [0.5, 2.5]}))
    assert row(other.filter(other.n > 1).aggregate(total=other.n.sum())).total == 2.5


def test_a_table_that_is_kept_again_has_its_new_columns(engines: tuple[Engine, Engine]) -> None:
    engine, _ = engines
    table = engine.put("things", arrow.table({"a": [1, 2]}))
    engine.keep("kept", table)
    assert engine.table("kept").columns == ("a",)
    engine.keep("kept", table.mutate(b=table.a + 1))
    assert [dict(one) for one in rows(engine.table("kept").order_by("a"))] == [
        {"a": 1, "b": 2},
        {"a": 2, "b": 3},
    ]
    engine.drop("kept")
    with pytest.raises(Exception, match="kept"):
        engine.table("kept")


def test_a_sum_of_whole_numbers_is_a_whole_number(engines: tuple[Engine, Engine]) -> None:
    engine, _ = engines
    most = (1 << 62) + 1
    table = engine.put("large", arrow.table({"n": [most, most]}))
    assert row(table.aggregate(total=table.n.cast("decimal(38, 0)").sum())).total == 2 * most
    assert row(table.aggregate(n=table.n.max())).n == most
