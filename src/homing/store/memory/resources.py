"""Documents and keys, in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, TypeVar

import msgspec

from homing.core.errors import Conflict, Stale
from homing.core.queries import Page
from homing.core.records import (
    Message,
    Reply,
    RequestKey,
)
from homing.core.resources import Application, Endpoint, Resource
from homing.core.tasks import Task, TaskStatus
from homing.store.memory.tables import Tables, page_of
from homing.store.paging import LAST

R = TypeVar("R", bound=Resource)
_replace = msgspec.structs.replace


class MemoryResources(Tables):
    """`core.store.Resources` in memory."""

    def _of(self, kind: type[R], scope: str | None) -> list[R]:
        name = kind.kind
        found: list[Any] = [
            resource
            for (its_kind, its_scope, _), resource in self.resources.items()
            if its_kind == name and scope in (None, its_scope)
        ]
        if len(found) > 1:
            found.sort(key=lambda resource: resource.id)
        return found

    def _with_ids(self, kind: type[R], ids: Iterable[str]) -> list[R]:
        name, wanted = kind.kind, set(ids)
        found: list[Any] = [
            r for (k, _, i), r in self.resources.items() if i in wanted and k == name
        ]
        return found

    async def get(self, kind: type[R], scope: str, name: str) -> R | None:
        found = self.resources.get((kind.kind, scope, name))
        if isinstance(found, kind):
            return found
        return next((r for r in self._of(kind, scope) if r.uid == name), None)

    async def by_ids(self, kind: type[R], ids: Sequence[str]) -> list[R]:
        return self._with_ids(kind, ids)

    async def running_tasks(self, *, limit: int) -> list[Task]:
        return [task for task in self._of(Task, None) if task.status is TaskStatus.RUNNING][:limit]

    async def put(
        self,
        resource: Resource,
        *,
        touch: str | None = None,
        key: RequestKey | None = None,
        reply: Reply | None = None,
        also: Sequence[Resource] = (),
    ) -> None:
        at_us = resource.updated_at_us
        if key is not None and self._known(key, at_us) is not None:
            raise Conflict("this request was made before")
        place = (resource.kind, resource.scope, resource.id)
        self._check_version(self.resources.get(place), resource)
        self._check_uid(resource)
        if touch is not None and not self._touch(touch):
            raise Stale(f"application {touch} is gone")
        self.commits += 1
        self.resources[place] = resource
        self._add(also)
        if key is not None and reply is not None:
            self._keep(key, reply, at_us)

    def _add(self, resources: Sequence[Resource]) -> None:
        for one in resources:
            self.resources.setdefault((one.kind, one.scope, one.id), one)

    @staticmethod
    def _check_version(stored: Resource | None, resource: Resource) -> None:
        if resource.version == 1 and stored is not None:
            raise Conflict(f"{resource.kind} {resource.id} exists already")
        if resource.version != 1 and (stored is None or stored.version != resource.version - 1):
            raise Stale(f"{resource.kind} {resource.id} has changed since it was read")

    def _check_uid(self, resource: Resource) -> None:
        if resource.uid is None:
            return
        for other in self._of(type(resource), resource.scope):
            if other.uid == resource.uid and other.id != resource.id:
                raise Conflict(f"{resource.kind} uid {resource.uid!r} is taken")

    def _touch(self, app_id: str) -> bool:
        for application in self._with_ids(Application, [app_id]):
            place = (application.kind, application.scope, application.id)
            self.resources[place] = _replace(application, version=application.version + 1)
            return True
        return False

    async def delete(
        self, resource: Resource, *, touch: str | None = None, also: Sequence[Resource] = ()
    ) -> None:
        if self.resources.pop((resource.kind, resource.scope, resource.id), None) is None:
            return
        self.commits += 1
        if isinstance(resource, Application):
            for endpoint in self._of(Endpoint, resource.id):
                del self.resources[endpoint.kind, endpoint.scope, endpoint.id]
        if touch is not None:
            self._touch(touch)
        self._add(also)

    async def recall(self, key: RequestKey, *, at_us: int) -> Reply | Message | None:
        known = self._known(key, at_us)
        if known is None:
            return None
        kept, led_to = known
        if kept.fingerprint != key.fingerprint:
            raise Conflict("this key came with another request before")
        return led_to if isinstance(led_to, Reply) else self.accepted.get(led_to)

    async def remember(self, key: RequestKey, reply: Reply, *, at_us: int) -> None:
        if self._known(key, at_us) is None:
            self.commits += 1
            self._keep(key, reply, at_us)

    def _known(self, key: RequestKey, at_us: int) -> tuple[RequestKey, str | Reply] | None:
        known = self.keys.get(key.digest)
        return known if known is not None and known[0].expires_at_us > at_us else None

    def _keep(self, key: RequestKey, led_to: str | Reply, at_us: int) -> None:
        # Two of the oldest for each new one: enough to keep up, and no walk through all of them.
        for digest in list(islice(self.keys, 2)):
            if self.keys[digest][0].expires_at_us <= at_us:
                del self.keys[digest]
        self.keys.pop(key.digest, None)  # so that it goes to the end again
        self.keys[key.digest] = (key, led_to)

    # the last of all: within the class, its name hides the built-in `list` from what follows
    async def list(self, kind: type[R], scope: str | None, page: Page) -> list[R]:
        return page_of(self._of(kind, scope), lambda resource: resource.id, ("", LAST), page)
