"""What the keeper of retention remembers between its rounds; stored as documents."""

from __future__ import annotations

import msgspec

from homing.core.queries import LogCursor
from homing.core.resources import Resource
from homing.core.retention import Part, Purged


class Round(Resource, frozen=True, kw_only=True):
    """Whose turn it is, and what was done so far. There is one: scope "", id "round"."""

    kind = "retention_round"

    holder: str = ""  #: the process that purges, until `until_us`
    until_us: int = 0
    next_at_us: int = 0  #: when the next round begins
    announced_at_us: int = 0  #: when dead letters that are about to go were last announced
    expired_at_us: int = 0  #: dead letters that went up to then have been told of
    log_cursor: LogCursor = LogCursor()  #: how far the present walk through the log has come
    log_next_at_us: int = 0  #: when the next walk through the log begins
    #: what all rounds removed; a crash may leave out the last moment's
    purged: Purged = Purged()
    purged_at_us: int | None = None  #: when something last was


class Walk(msgspec.Struct, frozen=True, kw_only=True):
    """How far the messages of an application have been looked at for one part."""

    after: str = ""  #: up to and with this message
    #: before this first one that was held back when it was passed; it is looked at again
    held_after: str | None = None
    again_at_us: int = 0  #: but not before this


class Progress(Resource, frozen=True, kw_only=True):
    """How far an application's messages have been purged. Scope: the application; id "progress"."""

    kind = "retention_progress"

    walks: dict[Part, Walk] = {}
