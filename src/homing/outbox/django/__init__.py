"""The outbox for Django: add "homing.outbox.django" to INSTALLED_APPS, then migrate.

    from django.db import transaction
    from homing.outbox.django import add

    with transaction.atomic():
        order.save()
        add("order.paid", {"id": order.pk})

`manage.py relay_outbox` hands over what is in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from homing.outbox.row import new_row
from homing.system import SystemChance, SystemClock

_chance: Final = SystemChance()
_clock: Final = SystemClock()


def add(
    event_type: str,
    payload: Mapping[str, Any],
    *,
    channels: Sequence[str] = (),
    using: str | None = None,
) -> str:
    """Write a message in the transaction that is open; the event id that it will have.

    Args:
        using: the database, by its alias; by default the one that the router writes to.

    Raises:
        Invalid: Homing would refuse it for ever.
    """
    from homing.outbox.django.models import OutboxRow  # models may be imported once apps are ready

    row = new_row(
        event_type,
        payload,
        entropy=_chance.entropy(16),
        at_us=_clock.now_us(),
        channels=channels,
    )
    OutboxRow.objects.using(using).create(**row)
    return str(row["id"])
