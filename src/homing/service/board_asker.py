"""Asks the services on the boards how they stand, in one process at a time.

Whatever a member answers, or does not, changes its own row and nothing else: each is asked under a
deadline of its own, with a bound on what is read, and its row alone is written.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final
from urllib.parse import urlencode

from homing.core.errors import Conflict, Stale, StoreError
from homing.core.outcome import Outcome, Reason
from homing.core.ports import Clock, Request, Sender
from homing.core.queries import Page
from homing.core.sealing import CannotOpen, Seals
from homing.core.store import Store
from homing.insight.board.prometheus import ASKED, Sample, read_answer, standing_of
from homing.insight.board.standing import (
    How,
    Member,
    NotBelieved,
    Queries,
    Turn,
    one_line,
    read_envelope,
    token_place,
)
from homing.service.board import NO_TROUBLE, changed, keep

_log = logging.getLogger("homing.board")

#: what a sender for members reads of one answer, in bytes: an envelope, its payload escaped
ANSWER_BYTES_MAX: Final = 600_000
#: statuses with which Prometheus explains what is wrong with a query
_EXPLAINED: Final = (400, 422)
#: members asked at once, so that those that hang do not hold up the others for long
_AT_ONCE: Final = 8
#: for one member, all of its queries together, in seconds
_MEMBER_S: Final = 30.0
#: a turn outlasts so many rounds
_TURNS: Final = 3
_TURN_MIN_S: Final = 30.0
#: members of all boards together
_MEMBERS_MAX: Final = 10_000


class _Away(Exception):
    """A member did not answer as it should; the text says how."""


class BoardAsker:
    """Keeps the boards of one process's store, when it has the turn.

    Args:
        sender: with the egress rule for members, and reading at most `ANSWER_BYTES_MAX`.
        holder: names this process among all that ever ran.
        every_s: seconds between two rounds.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        sender: Sender,
        seals: Seals,
        holder: str,
        *,
        every_s: float = 30.0,
    ) -> None:
        self._store = store
        self._clock = clock
        self._sender = sender
        self._seals = seals
        self._holder = holder
        self._every_s = every_s

    async def run(self) -> None:
        """Ask every `every_s` seconds, for ever."""
        while True:
            try:
                await self.look()
            except StoreError as error:
                _log.warning("the board waits for the database: %s", error)
            await asyncio.sleep(self._every_s)

    async def look(self) -> bool:
        """One round, if it is this process's turn; whether it was."""
        members = await self._members()
        if not members or not await self._take_turn():
            return False
        room = asyncio.Semaphore(_AT_ONCE)

        async def ask(member: Member) -> None:
            async with room:
                await self._ask(member)

        await asyncio.gather(*map(ask, members))
        return True

    async def _members(self) -> list[Member]:
        found = await self._store.list(Member, None, Page(limit=_MEMBERS_MAX))
        return [one for one in found if one.how is not How.PUSH]

    async def _take_turn(self) -> bool:
        known = await self._store.get(Turn, "", "turn")
        at_us = self._clock.now_us()
        if known is not None and known.holder != self._holder and known.until_us > at_us:
            return False
        lasts_s = max(_TURNS * self._every_s, _TURN_MIN_S)
        after = Turn(
            scope="",
            id="turn",
            version=known.version + 1 if known else 1,
            created_at_us=known.created_at_us if known else at_us,
            updated_at_us=at_us,
            holder=self._holder,
            until_us=at_us + round(lasts_s * 1_000_000),
        )
        try:
            await self._store.put(after)
        except (Stale, Conflict):
            return False
        return True

    async def _ask(self, member: Member) -> None:
        """Ask one member and write what came of it."""
        try:
            async with asyncio.timeout(_MEMBER_S):
                if member.queries is not None:
                    await self._ask_prometheus(member, member.queries)
                else:
                    await self._pull(member)
        except NotBelieved as error:
            await self._note(member, str(error), is_refused=True)
        except (_Away, CannotOpen) as error:
            await self._note(member, str(error), is_refused=False)
        except TimeoutError:
            await self._note(member, "it took too long in all", is_refused=False)
        except StoreError as error:
            _log.warning("what %r says could not be kept: %s", member.id, error)
        except Exception:
            # A member's answer must not end the process that reads it, not even by a bug of ours.
            _log.exception("what %r answered could not be read", member.id)
            await self._note(member, "its answer could not be read; see the log", is_refused=True)

    async def _pull(self, member: Member) -> None:
        url = f"{member.url}/api/v1/board/standing"
        body = await self._answer(
            member,
            Request(
                url=url, headers=self._headers(member), body=b"", pool=_pool(member), method="GET"
            ),
        )
        await keep(self._store, self._clock, member, read_envelope(body))

    async def _ask_prometheus(self, member: Member, queries: Queries) -> None:
        headers = (*self._headers(member), ("content-type", "application/x-www-form-urlencoded"))
        answers: dict[str, list[Sample]] = {}
        for name in ASKED:
            query = getattr(queries, name)
            if not query:
                continue
            body = await self._answer(
                member,
                Request(
                    url=f"{member.url}/api/v1/query",
                    headers=headers,
                    body=urlencode({"query": query}).encode(),
                    pool=_pool(member),
                ),
            )
            answers[name] = read_answer(body)
        at_us = self._clock.now_us()
        said = standing_of(member.id, queries, answers, at_us=at_us)
        await changed(self._store, member, at_us, said=said, **NO_TROUBLE)

    def _headers(self, member: Member) -> tuple[tuple[str, str], ...]:
        headers = [("accept", "application/json"), ("user-agent", "Homing board")]
        if member.token is not None:
            token = self._seals.open(member.token, token_place(member.scope, member.id))
            headers.append(("authorization", f"Bearer {token}"))
        return tuple(headers)

    async def _answer(self, member: Member, request: Request) -> bytes:
        outcome = await self._sender.send(request)
        if outcome.body_truncated:
            raise NotBelieved(f"its answer is longer than {ANSWER_BYTES_MAX:,} bytes")
        if outcome.reason is Reason.OK or (
            member.how is How.PROMETHEUS and outcome.status in _EXPLAINED
        ):
            return outcome.body
        raise _Away(_why(member, outcome))

    async def _note(self, member: Member, trouble: str, *, is_refused: bool) -> None:
        """Remember that there is nothing newer, and since when; the last standing is kept."""
        at_us = self._clock.now_us()
        since_us = member.trouble_since_us if member.trouble else at_us
        if member.trouble == trouble and member.is_refused is is_refused:
            return
        await changed(
            self._store,
            member,
            at_us,
            trouble=one_line(trouble),
            trouble_since_us=since_us,
            is_refused=is_refused,
        )


def _pool(member: Member) -> str:
    return f"board/{member.scope}/{member.id}"


def _why(member: Member, outcome: Outcome) -> str:
    """What went wrong, with what to do about it."""
    if outcome.reason is Reason.ADDRESS_BLOCKED:
        return "its address is not allowed; an operator can allow it with HOMING_BOARD_ALLOW"
    if outcome.status in (401, 403):
        hint = "is the token one of that instance?" if member.token else "it wants a token"
        return f"it answers {outcome.status}; {hint}"
    if outcome.status is not None and outcome.reason is Reason.STATUS:
        return f"it answers {outcome.status}"
    return f"it cannot be reached: {outcome.error}"
