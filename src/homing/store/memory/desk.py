"""The desk in memory."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import msgspec

from homing.core.errors import Stale
from homing.core.identifiers import DeliveryId
from homing.core.issues import Burden, Filed, Issue, IssueState
from homing.core.lifecycle import Delivery
from homing.core.queries import LetterFilter, Page
from homing.core.resources import Application, EventType
from homing.store.memory.tables import Tables, page_of
from homing.store.paging import LAST, between


class MemoryDesk(Tables):
    """`core.store.Desk` and `store.filing.Files` in memory."""

    async def filed(self, ids: Sequence[DeliveryId]) -> dict[DeliveryId, Filed]:
        return {which: self.desk[which] for which in ids if which in self.desk}

    async def letters(self, which: LetterFilter, page: Page) -> list[Filed]:
        low, high = between(page)
        found = [
            (place, filed)
            for place, filed in self.desk.items()
            if (filed.discarded_at_us is not None) == which.discarded
            and which.issue_id in (None, filed.issue_id)
            and (which.issue_id is not None or filed.app_id == which.app_id)
            and low < place < high
        ]
        found.sort(key=lambda one: one[0], reverse=page.descending)
        return [filed for _, filed in found][: page.limit]

    async def burdens(self, issue_ids: Sequence[str]) -> dict[str, Burden]:
        wanted, found = set(issue_ids), dict[str, list[Burden]]()
        for filed in self.desk.values():
            if filed.issue_id in wanted and filed.discarded_at_us is None:
                found.setdefault(filed.issue_id, []).append(_burden(filed))
        return {issue_id: reduce(Burden.__add__, those) for issue_id, those in found.items()}

    def _issues(self) -> list[Issue]:
        return [one for one in self.resources.values() if isinstance(one, Issue)]

    async def unresolved_issues(self, page: Page) -> list[Issue]:
        found = [one for one in self._issues() if one.state is not IssueState.RESOLVED]
        return page_of(found, lambda issue: issue.id, ("", LAST), page)

    async def merged_issues(self, into: Sequence[str]) -> list[Issue]:
        found = [one for one in self._issues() if one.merged_into in into]
        return sorted(found, key=lambda issue: issue.id)

    async def put_issues(self, issues: Sequence[Issue]) -> None:
        for issue in issues:
            stored = self.resources.get((issue.kind, issue.scope, issue.id))
            if stored is None or stored.version != issue.version - 1:
                raise Stale(f"issue {issue.id} has changed since it was read")
        for issue in issues:
            self.resources[issue.kind, issue.scope, issue.id] = issue

    async def deliveries_by_ids(self, ids: Sequence[DeliveryId]) -> dict[DeliveryId, Delivery]:
        found = {which: self.hot.get(which) or self.history.get(which) for which in ids}
        return {which: row for which, row in found.items() if row is not None}

    # --- what filing asks for ---

    async def find(self, ids: Sequence[DeliveryId]) -> list[Filed]:
        return [self.desk[which] for which in ids if which in self.desk]

    async def find_of_messages(self, message_ids: Sequence[str]) -> list[Filed]:
        wanted = set(message_ids)
        return [filed for which, filed in self.desk.items() if which.message_id in wanted]

    async def place(self, filed: Sequence[Filed]) -> None:
        self.desk |= {DeliveryId(one.message_id, one.endpoint_id): one for one in filed}

    async def remove(self, ids: Sequence[DeliveryId]) -> None:
        for which in ids:
            self.desk.pop(which, None)

    async def remove_of_messages(self, message_ids: Sequence[str]) -> None:
        wanted = set(message_ids)
        await self.remove([which for which in self.desk if which.message_id in wanted])

    async def open_issues(self, fresh: Sequence[Issue]) -> list[Issue]:
        known = {(one.scope, one.uid): one for one in self._issues()}
        for issue in fresh:
            if (issue.scope, issue.uid) not in known:
                known[issue.scope, issue.uid] = issue
                self.resources[issue.kind, issue.scope, issue.id] = issue
        return [known[issue.scope, issue.uid] for issue in fresh]

    async def issues(self, ids: Sequence[str]) -> list[Issue]:
        wanted = set(ids)
        return [one for one in self._issues() if one.id in wanted]

    async def merged(self, into: Sequence[str]) -> list[Issue]:
        return await self.merged_issues(into)

    async def nonempty(self, issue_ids: Sequence[str]) -> set[str]:
        return {f.issue_id for f in self.desk.values() if f.discarded_at_us is None}.intersection(
            issue_ids
        )

    async def at_stake(self, message_ids: Sequence[str]) -> list[tuple[str, bytes | None, str]]:
        messages = [self.accepted[name] for name in message_ids if name in self.accepted]
        scopes = {a.id: a.scope for a in self.resources.values() if isinstance(a, Application)}
        found = []
        for message in messages:
            place = (EventType.kind, scopes.get(message.app_id, ""), message.event_type)
            event_type = self.resources.get(place)
            if isinstance(event_type, EventType) and event_type.money is not None:
                document = msgspec.json.encode(event_type).decode()
                found.append((message.id, message.payload, document))
        return found


def _burden(filed: Filed) -> Burden:
    return Burden(
        count=1,
        oldest_at_us=filed.died_at_us,
        newest_at_us=filed.died_at_us,
        micro={} if filed.currency is None else {filed.currency: filed.micro or 0},
    )
