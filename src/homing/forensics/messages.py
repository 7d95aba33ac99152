"""Which delivery a row means that names a message: of one are made none, one or several. Ibis, any engine."""

from __future__ import annotations

import functools
from typing import Any, Final

import ibis
from ibis import _

from homing.forensics.behaviours import LOOKED_THROUGH
from homing.forensics.engine import Engine
from homing.forensics.rows import Line as Row
from homing.forensics.rows import row


def without_names_of_messages(engine: Engine, table: Any) -> Any:
    """The rows, with no delivery in those that name one as the message is named of which others say that
    another delivery was made: in a text that names one thing, it was taken for a delivery."""
    both = table.filter(table.delivery.notnull() & (table.delivery != table.message))
    made = engine.keep("messages_made", both.select(made="message").distinct())
    table = table.left_join(made, (table.delivery == table.message) & (table.message == made.made))
    own = ibis.ifelse(table.made.notnull(), None, table.delivery)
    return table.mutate(delivery=own).drop("made")


#: of the paths that name something, so many must end with the name of a delivery
_ENDS_MIN: Final = 0.5


def without_paths(engine: Engine, table: Any) -> tuple[Any, int]:
    """The rows, and how many were left out: those that name, by a path that ends with a delivery, the task
    of a queue that carries it (`projects/p/queues/hooks/tasks/dlv_2srk-a1`). What such a queue calls well
    is that the task was answered by the service, and says nothing of the receiver."""
    is_path = table.delivery.contains("/").fill_null(False)
    paths = table.filter(is_path).select(path="delivery").distinct()
    last = paths.path.re_extract(r"([^/]+)$", 1)
    ends = (last, last.re_replace(r"-[a-z]?\d+$", ""))
    named = ibis.union(*[paths.select("path", name=end) for end in ends])
    plain = table.filter(~is_path & table.delivery.notnull()).select(own="delivery").distinct()
    met = named.semi_join(plain, _.name == plain.own).select("path").distinct()
    found = row(met.aggregate(n=met.count())), row(paths.aggregate(n=paths.count()))
    if int(found[0].n) < _ENDS_MIN * int(found[1].n):
        return table, 0
    gone = row(table.filter(is_path).aggregate(n=_.count()))
    return table.filter(~is_path), int(gone.n)


def of_messages(engine: Engine, table: Any, counts: Row) -> Any:
    """Message → delivery: rows that know only the message belong to its delivery, or stand for it
    where there is none. None: there are no such rows."""
    links = []
    if counts.linking and counts.of_message:
        named = table.filter(table.delivery.notnull() & table.message.notnull())
        links.append(named.group_by(id=named.message).aggregate(of_message=named.delivery.min()))
    # where a delivery is named by message and endpoint, and some rows lack the endpoint
    if counts.of_endpoint and counts.of_endpoint < counts.of_message:
        named = table.filter(
            table.delivery.isnull() & table.message.notnull() & table.endpoint.notnull()
        )
        key = (named.message + "/" + named.endpoint).min()
        links.append(named.group_by(id=named.message).aggregate(of_message=key))
    if not links:
        return None
    link = functools.reduce(ibis.union, links)
    return engine.keep("lonely", link.group_by("id").aggregate(of_message=link.of_message.min()))


def without_lost_messages(engine: Engine, table: Any) -> Any:
    """Without the rows of messages of which no delivery is known, where no fewer deliveries are known
    whose message is not: the rows that told of both were deleted, and each would count as two."""
    named = table.filter(table.delivery.notnull())
    linked = named.filter(named.message.notnull())
    alone = table.filter(table.delivery.isnull() & table.message.notnull())
    met = linked.select(met=linked.message).distinct()
    alone = alone.select("message").distinct().anti_join(met, _.message == met.met)
    both = linked.select(met=linked.delivery).distinct()
    orphans = named.select("delivery").distinct().anti_join(both, _.delivery == both.met)
    lost = int(row(alone.aggregate(n=alone.count())).n or 0)
    if not 0 < lost <= int(row(orphans.aggregate(n=orphans.count())).n or 0):
        return table
    gone = engine.keep("lost_messages", alone.select(gone="message"))
    kept = table.left_join(gone, table.delivery.isnull() & (table.message == gone.gone))
    return kept.filter(kept.gone.isnull()).drop("gone")


#: fewer messages show no habit
_FEWEST: Final = 20
#: of the messages that carry a delivery, so many at least were made after it, and so many at most before
_CARRIERS_MIN: Final = 0.5
_BEFORE_MAX: Final = 0.05


def without_carriers_of_others(engine: Engine, table: Any) -> tuple[Any, int]:
    """Without the messages of a queue that carries more than deliveries, and how many rows these have.

    Where deliveries are known before the messages that carry them, a message is none itself, however
    it is spoken of; where messages come first, one of which no delivery was made may be lost.

    Args:
        table: the raw rows that name something, of a log that names deliveries and messages.
    """
    some = table.filter((table["rowid"] < LOOKED_THROUGH) & (table.layout == "events"))
    at = ibis.coalesce(some.changed_us, some.at_us, 0).cast("string").lpad(20, "0")
    some = some.mutate(place=at + some["rowid"].cast("string").lpad(20, "0"))
    ours = some.filter(some.delivery.notnull())
    born = ours.group_by(born="delivery").aggregate(known=ours.place.min())
    named = some.filter(some.message.notnull())
    made = named.group_by(made="message").aggregate(first=named.place.min())
    linked = ours.filter(ours.message.notnull()).select("delivery", "message").distinct()
    pairs = linked.join(born, linked.delivery == born.born).join(made, linked.message == made.made)
    told = row(
        pairs.aggregate(
            n=pairs.count(),
            after=(pairs.first > pairs.known).cast("int64").sum(),
            before=(pairs.first < pairs.known).cast("int64").sum(),
        )
    )
    n = int(told.n or 0)
    if n < _FEWEST or int(told.after) < _CARRIERS_MIN * n or int(told.before) > _BEFORE_MAX * n:
        return table, 0
    both = table.filter(table.delivery.notnull() & table.message.notnull())
    met = both.select(met="message").distinct()
    alone = table.filter(table.delivery.isnull() & table.message.notnull())
    gone = (
        alone.anti_join(met, _.message == met.met).group_by(gone="message").aggregate(n=_.count())
    )
    gone = engine.keep("carriers_of_others", gone)
    kept = table.left_join(
        gone.select("gone"), table.delivery.isnull() & (table.message == gone.gone)
    )
    kept = kept.filter(kept.gone.isnull()).drop("gone")
    return kept, int(row(gone.aggregate(n=gone.n.sum())).n or 0)
