"""The outbox of a Django project, as the relay uses it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from django.db import Error, close_old_connections, transaction
from django.db.models import Min

from homing.core.errors import Unavailable
from homing.outbox.django.models import OutboxRow
from homing.outbox.row import Counts, Pending, Refused, Settled, read_channels


@contextmanager
def _told() -> Iterator[None]:
    """What the database complains of, in our words; a connection that it broke is left."""
    try:
        yield
    except Error as error:
        close_old_connections()
        raise Unavailable(f"the outbox's database cannot be used now: {error}") from error


class DjangoRows:
    """Rows of one database. Its methods raise Unavailable.

    Args:
        using: the database, by its alias.
    """

    def __init__(self, using: str = "default") -> None:
        self._using = using
        self._all = OutboxRow.objects.using(using)
        self._refused = self._all.filter(accepted_at_us__isnull=True, problem__isnull=False)
        self._open = self._all.filter(accepted_at_us__isnull=True, problem__isnull=True)

    @_told()
    def pending(self, limit: int) -> list[Pending]:
        return [
            Pending(
                id=row.id,
                event_type=row.event_type,
                payload=row.payload,
                channels=read_channels(row.channels),
                offered_at_us=row.offered_at_us,
            )
            for row in self._open.order_by("number")[:limit]
        ]

    @_told()
    def offer(self, ids: Sequence[str], at_us: int) -> None:
        self._all.filter(id__in=ids, offered_at_us__isnull=True).update(offered_at_us=at_us)

    @_told()
    def settle(self, settled: Sequence[Settled], at_us: int) -> None:
        with transaction.atomic(using=self._using):
            for one in settled:
                self._all.filter(id=one.id, accepted_at_us__isnull=True).update(
                    message_id=one.message_id,
                    problem=one.problem,
                    accepted_at_us=None if one.message_id is None else at_us,
                )

    @_told()
    def counts(self) -> Counts:
        accepted = self._all.filter(accepted_at_us__isnull=False)
        return Counts(
            pending=self._open.count(),
            accepted=accepted.count(),
            refused=self._refused.count(),
            oldest_at_us=self._open.aggregate(oldest=Min("created_at_us"))["oldest"],
        )

    @_told()
    def refused(self, limit: int) -> list[Refused]:
        return [
            Refused(
                id=row.id,
                event_type=row.event_type,
                payload=row.payload,
                problem=row.problem,
                created_at_us=row.created_at_us,
            )
            for row in self._refused.order_by("number")[:limit]
        ]

    @_told()
    def retry(self, ids: Sequence[str]) -> int:
        return int(self._refused.filter(id__in=ids).update(problem=None))

    @_told()
    def forget(self, before_us: int) -> int:
        return int(self._all.filter(accepted_at_us__lt=before_us).delete()[0])
