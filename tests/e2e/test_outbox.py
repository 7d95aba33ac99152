"""The outbox of each framework, and the relay, against a real Homing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import django
import pytest
import sqlalchemy as sa
from django.conf import settings
from support.serving import Served, serving

from homing.client import Client
from homing.core.errors import Unavailable
from homing.outbox.relay import Round, relay, relay_once
from homing.outbox.row import Counts, Rows, Settled
from homing.store import open_store
from homing.system import SystemClock

NOW_US = SystemClock().now_us()


class Box:
    """An outbox, and how an application of its framework uses it."""

    def __init__(
        self,
        rows: Rows,
        add: Callable[..., str],
        change: Callable[[str], object],
        close: Callable[[], object],
    ) -> None:
        self.rows = rows
        self.add = add
        self.change = change  #: runs SQL
        self.close = close


def _sqlalchemy(folder: Path, url: str = "") -> Box:
    from homing.outbox import sqlalchemy as outbox

    url = url or f"sqlite:///{folder}/shop.db"
    rows = outbox.SqlRows.open(url)
    rows.prepare()
    engine = sa.create_engine(url)

    def add(*given: Any, fails: bool = False, **more: Any) -> str:
        with engine.connect() as connection:
            name = outbox.add(connection, *given, **more)
            _ = connection.rollback() if fails else connection.commit()
        return name

    def change(statement: str) -> None:
        with engine.begin() as connection:
            connection.exec_driver_sql(statement)

    def close() -> None:
        rows.close()
        engine.dispose()

    return Box(rows, add, change, close)


def _django(folder: Path) -> Box:
    if not settings.configured:
        database = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(folder / "django.db")}
        settings.configure(
            INSTALLED_APPS=["homing.outbox.django"], DATABASES={"default": database}, USE_TZ=True
        )
        django.setup()
    from django.core.management import call_command
    from django.db import connections, transaction

    from homing.outbox.django import add as add_row
    from homing.outbox.django.models import OutboxRow
    from homing.outbox.django.rows import DjangoRows

    connections["default"].close()
    connections["default"].settings_dict["NAME"] = str(folder / "django.db")
    call_command("migrate", verbosity=0)
    call_command("makemigrations", "homing_outbox", check=True, dry_run=True, verbosity=0)
    OutboxRow.objects.all().delete()

    def add(*given: Any, fails: bool = False, **more: Any) -> str:
        with transaction.atomic():
            name = add_row(*given, **more)
            transaction.set_rollback(fails)
        return name

    def change(statement: str) -> None:
        with connections["default"].cursor() as cursor:
            cursor.execute(statement)

    return Box(DjangoRows(), add, change, connections.close_all)


def driven(postgres_url: str) -> str:
    """As SQLAlchemy names it, with the driver that we have."""
    return "postgresql+psycopg://" + postgres_url.partition("://")[2]


@pytest.fixture(
    params=["sqlalchemy", pytest.param("postgres", marks=pytest.mark.postgres), "django"]
)
def box(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    if request.param == "django":
        box = _django(tmp_path)
    else:
        on_postgres = request.param == "postgres"
        url = driven(request.getfixturevalue("postgres_empty_url")) if on_postgres else ""
        box = _sqlalchemy(tmp_path, url)
    yield box
    box.close()


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with serving(await open_store("memory:"), dispatching=False) as served:
        async with served.client() as http:
            await http.post("/api/v1/app", json={"name": "Shop", "uid": "shop"})
        yield served


async def _relay(box: Box, served: Served, **more: Any) -> Round:
    """A round; in this thread's executor, because Homing runs in this loop."""

    def work() -> Round:
        try:
            with Client(served.url, served.token) as client:
                return relay_once(box.rows, client, "shop", at_us=NOW_US, **more)
        finally:
            if settings.configured:
                from django.db import connections

                connections.close_all()

    return await asyncio.to_thread(work)


async def _messages(served: Served) -> dict[str, Any]:
    async with served.client() as http:
        page = (await http.get("/api/v1/app/shop/msg", params={"limit": 250})).json()
    assert page["done"]
    return {one["eventId"]: one for one in page["data"]}


def test_rows_are_offered_in_their_order_and_those_rolled_back_never(box: Box) -> None:
    first = box.add("a", {"n": 1}, channels=["x"])
    box.add("a", {"n": 2}, fails=True)
    third = box.add("b", {"n": 3})
    found = box.rows.pending(10)
    assert [row.id for row in found] == [first, third]
    assert (found[0].payload, found[0].channels) == ('{"n":1}', ("x",))
    assert [row.id for row in box.rows.pending(1)] == [first]


def test_the_time_of_the_first_offer_is_kept(box: Box) -> None:
    name = box.add("a", {})
    box.rows.offer([name], 5)
    box.rows.offer([name], 9)
    assert box.rows.pending(1)[0].offered_at_us == 5


def test_an_accepted_row_stays_accepted_and_is_forgotten_in_its_time(box: Box) -> None:
    done, wrong, waiting = (box.add("a", {"n": n}) for n in range(3))
    box.rows.settle([Settled(id=done, message_id="m"), Settled(id=wrong, problem="no")], 100)
    box.rows.settle([Settled(id=done, problem="a slower relay says so")], 200)
    counts = box.rows.counts()
    assert (counts.pending, counts.accepted, counts.refused) == (1, 1, 1)
    assert counts.oldest_at_us
    assert [row.id for row in box.rows.pending(9)] == [waiting]
    assert box.rows.forget(100) == 0
    assert box.rows.forget(101) == 1
    assert box.rows.counts().accepted == 0


def test_what_was_refused_is_listed_and_offered_again_when_asked_to(box: Box) -> None:
    done, wrong, other = (box.add("a", {"n": n}) for n in range(3))
    box.rows.offer([done, wrong, other], 5)
    box.rows.settle([Settled(id=done, message_id="m"), Settled(id=wrong, problem="422 no")], 100)
    listed = box.rows.refused(10)
    assert [(one.id, one.event_type, one.problem) for one in listed] == [(wrong, "a", "422 no")]
    assert listed[0].payload == '{"n":1}'
    assert box.rows.retry([done, wrong, other]) == 1, "only what was refused"
    assert [row.id for row in box.rows.pending(9)] == [wrong, other]
    assert box.rows.pending(1)[0].offered_at_us == 5, "it is looked up before it is sent again"
    assert box.rows.retry([wrong]) == 0
    assert box.rows.refused(10) == []


async def test_what_was_committed_is_accepted_and_what_cannot_be_does_not_hold_it_up(
    box: Box, served: Served
) -> None:
    names = await asyncio.to_thread(lambda: [box.add("a", {"n": n}) for n in range(5)])
    await asyncio.to_thread(
        box.change, f"UPDATE homing_outbox SET payload = '[]' WHERE id = '{names[2]}'"
    )
    done = await _relay(box, served)
    assert done == Round(accepted=4, refused=1)
    assert (await _messages(served)).keys() == set(names) - {names[2]}
    assert await _relay(box, served) == Round()
    counts: Counts = await asyncio.to_thread(box.rows.counts)
    assert (counts.pending, counts.accepted, counts.refused) == (0, 4, 1)


async def test_a_row_offered_long_ago_is_looked_up_before_it_is_sent(
    box: Box, served: Served
) -> None:
    name = await asyncio.to_thread(box.add, "a", {"n": 1})
    await _relay(box, served)
    [message] = (await _messages(served)).values()
    # As if the relay had died before it wrote down the answer, and other content would now be sent.
    await asyncio.to_thread(
        box.change,
        "UPDATE homing_outbox SET accepted_at_us = NULL, message_id = NULL, "
        f"""payload = '{{"n":2}}', offered_at_us = {NOW_US - 10**12}""",
    )
    assert await _relay(box, served) == Round(accepted=1)
    assert await _messages(served) == {name: message}


def test_a_database_that_cannot_be_used_is_said_to_be_so(box: Box) -> None:
    box.change("DROP TABLE homing_outbox")
    for ask in (
        lambda: box.rows.pending(1),
        box.rows.counts,
        lambda: box.rows.settle([Settled(id="x", problem="no")], 1),
    ):
        with pytest.raises(Unavailable, match=r"no such table|does not exist"):
            ask()


async def test_a_relay_waits_for_a_database_that_is_away(tmp_path: Path, served: Served) -> None:
    box = _sqlalchemy(tmp_path)
    name = await asyncio.to_thread(box.add, "a", {"n": 1})
    box.change("ALTER TABLE homing_outbox RENAME TO away")
    told: list[Any] = []

    def wait(seconds: float) -> None:
        box.change("ALTER TABLE away RENAME TO homing_outbox")

    def work() -> None:
        with Client(served.url, served.token) as client:
            relay(
                box.rows,
                client,
                "shop",
                now_us=SystemClock().now_us,
                tell=told.append,
                wait=wait,
                is_over=lambda: len(told) == 2,
            )

    await asyncio.to_thread(work)
    assert isinstance(told[0], Unavailable)
    assert told[1] == Round(accepted=1)
    assert (await _messages(served)).keys() == {name}
