"""The outbox for SQLAlchemy 2: `add` in the session of the business transaction.

    from homing.outbox import sqlalchemy as outbox

    outbox.table(Base.metadata)            # once, so that create_all or Alembic makes it
    ...
    with Session(engine) as session, session.begin():
        session.add(order)
        outbox.add(session, "order.paid", {"id": order.id})

With an AsyncSession: `await session.run_sync(outbox.add, "order.paid", {"id": order.id})`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from homing.core.errors import ConfigError, Unavailable
from homing.outbox.row import (
    TABLE,
    Counts,
    Pending,
    Refused,
    Settled,
    new_row,
    read_channels,
)
from homing.system import SystemChance, SystemClock

try:
    import sqlalchemy as sa
    from sqlalchemy.orm import Session
except ImportError as error:  # pragma: no cover
    raise ConfigError(
        ["the outbox needs SQLAlchemy: run `pip install 'homing[outbox]'`"]
    ) from error

_chance: Final = SystemChance()
_clock: Final = SystemClock()


def table(metadata: sa.MetaData) -> sa.Table:
    """The outbox's table in `metadata`; defined there if it is not yet."""
    if TABLE in metadata.tables:
        return metadata.tables[TABLE]
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # which alone counts up in SQLite
    made = sa.Table(
        TABLE,
        metadata,
        sa.Column("number", big, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(64), nullable=False, unique=True),
        sa.Column("event_type", sa.String(256), nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("channels", sa.Text),
        sa.Column("created_at_us", sa.BigInteger, nullable=False),
        sa.Column("offered_at_us", sa.BigInteger),
        sa.Column("accepted_at_us", sa.BigInteger),
        sa.Column("message_id", sa.String(64)),
        sa.Column("problem", sa.Text),
    )
    waits = sa.and_(made.c.accepted_at_us.is_(None), made.c.problem.is_(None))
    sa.Index(f"{TABLE}_pending", made.c.number, sqlite_where=waits, postgresql_where=waits)
    return made


_TABLE: Final = table(sa.MetaData())


def add(
    session: Session | sa.Connection,
    event_type: str,
    payload: Mapping[str, Any],
    *,
    channels: Sequence[str] = (),
) -> str:
    """Write a message in the transaction of `session`; the event id that it will have.

    Raises:
        Invalid: Homing would refuse it for ever.
    """
    row = new_row(
        event_type,
        payload,
        entropy=_chance.entropy(16),
        at_us=_clock.now_us(),
        channels=channels,
    )
    session.execute(sa.insert(_TABLE).values(row))
    return str(row["id"])


@contextmanager
def _told() -> Iterator[None]:
    """What a driver complains of, in our words."""
    try:
        yield
    except sa.exc.SQLAlchemyError as error:
        reason = str(error).partition("\n")[0]
        raise Unavailable(f"the outbox's database cannot be used now: {reason}") from error


class SqlRows:
    """The outbox in a database, as the relay uses it. Its methods raise Unavailable."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    @classmethod
    def open(cls, database_url: str) -> SqlRows:
        """The outbox in the database that an SQLAlchemy URL names.

        Raises:
            ConfigError: no such dialect, or its driver is not installed.
        """
        try:
            url = sa.make_url(database_url)
            # SQLite has one writer at a time: the application must not be told "locked" by us.
            more = {"timeout": 30} if url.get_backend_name() == "sqlite" else {}
            return cls(sa.create_engine(url, connect_args=more, pool_pre_ping=True))
        except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError, ImportError) as error:
            text = "expected an SQLAlchemy URL such as sqlite:///shop.db, with its driver installed"
            raise ConfigError([f"--database: {text}: {error}"]) from error

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        with _told(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        with _told(), self._engine.begin() as connection:
            yield connection

    def close(self) -> None:
        """Let go of the connections."""
        self._engine.dispose()

    def prepare(self) -> None:
        """Make the table where it is missing."""
        with self._writing() as connection:
            _TABLE.create(connection, checkfirst=True)

    def is_there(self) -> bool:
        """Whether the database has the table."""
        with self._reading() as connection:
            return sa.inspect(connection).has_table(TABLE)

    def pending(self, limit: int) -> list[Pending]:
        c = _TABLE.c
        asked = (
            sa.select(c.id, c.event_type, c.payload, c.channels, c.offered_at_us)
            .where(c.accepted_at_us.is_(None), c.problem.is_(None))
            .order_by(c.number)
            .limit(limit)
        )
        with self._reading() as connection:
            rows = connection.execute(asked).all()
        return [
            Pending(
                id=row.id,
                event_type=row.event_type,
                payload=row.payload,
                channels=read_channels(row.channels),
                offered_at_us=row.offered_at_us,
            )
            for row in rows
        ]

    def offer(self, ids: Sequence[str], at_us: int) -> None:
        c = _TABLE.c
        which = (c.id.in_(ids), c.offered_at_us.is_(None))
        with self._writing() as connection:
            connection.execute(sa.update(_TABLE).where(*which).values(offered_at_us=at_us))

    def settle(self, settled: Sequence[Settled], at_us: int) -> None:
        if not settled:
            return
        c = _TABLE.c
        change = (
            sa.update(_TABLE)
            .where(c.id == sa.bindparam("row_id"), c.accepted_at_us.is_(None))
            .values(
                message_id=sa.bindparam("row_message_id"),
                problem=sa.bindparam("row_problem"),
                accepted_at_us=sa.bindparam("row_at_us"),
            )
        )
        values = [
            {
                "row_id": one.id,
                "row_message_id": one.message_id,
                "row_problem": one.problem,
                "row_at_us": None if one.message_id is None else at_us,
            }
            for one in settled
        ]
        with self._writing() as connection:
            connection.execute(change, values)

    def counts(self) -> Counts:
        c = _TABLE.c
        is_accepted = c.accepted_at_us.is_not(None)
        is_refused = sa.and_(c.accepted_at_us.is_(None), c.problem.is_not(None))
        waits = sa.and_(c.accepted_at_us.is_(None), c.problem.is_(None))
        asked = sa.select(
            sa.func.count(sa.case((waits, 1))).label("pending"),
            sa.func.count(sa.case((is_accepted, 1))).label("accepted"),
            sa.func.count(sa.case((is_refused, 1))).label("refused"),
            sa.func.min(sa.case((waits, c.created_at_us))).label("oldest_at_us"),
        )
        with self._reading() as connection:
            row = connection.execute(asked).one()
        return Counts(
            pending=row.pending,
            accepted=row.accepted,
            refused=row.refused,
            oldest_at_us=row.oldest_at_us,
        )

    def refused(self, limit: int) -> list[Refused]:
        c = _TABLE.c
        asked = (
            sa.select(c.id, c.event_type, c.payload, c.problem, c.created_at_us)
            .where(c.accepted_at_us.is_(None), c.problem.is_not(None))
            .order_by(c.number)
            .limit(limit)
        )
        with self._reading() as connection:
            return [Refused(**row._mapping) for row in connection.execute(asked)]

    def retry(self, ids: Sequence[str]) -> int:
        c = _TABLE.c
        which = (c.id.in_(ids), c.accepted_at_us.is_(None), c.problem.is_not(None))
        with self._writing() as connection:
            return connection.execute(sa.update(_TABLE).where(*which).values(problem=None)).rowcount

    def forget(self, before_us: int) -> int:
        with self._writing() as connection:
            gone = connection.execute(sa.delete(_TABLE).where(_TABLE.c.accepted_at_us < before_us))
        return gone.rowcount
