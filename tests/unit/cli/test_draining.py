"""Stopping in the stated time, whatever the database does."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from support.making import ORG_ID, make_application, make_endpoint

from homing.cli.runtime import Runtime
from homing.knobs import SecretText
from homing.service.intake import Draft
from homing.settings import Settings
from homing.store.memory.store import MemoryStore


class SilentStore(MemoryStore):
    """The method named in `silent` never answers."""

    silent = ""

    def __getattribute__(self, name: str) -> Any:
        if name == super().__getattribute__("silent"):
            return self._never
        return super().__getattribute__(name)

    async def _never(self, *_: object, **__: object) -> None:
        await asyncio.Event().wait()


@pytest.mark.parametrize("silent", ["accept", "settle", "by_ids", "due_lanes", "backlog"])
async def test_a_silent_database_does_not_keep_a_process_from_stopping(silent: str) -> None:
    store = SilentStore()
    runtime = Runtime(Settings(secret=SecretText("of the tests, long")), store)
    application = make_application()
    await store.put(application)
    await store.put(make_endpoint(application.id), touch=application.id)
    runtime.start()
    draft = Draft(event_type="payment.captured", payload=b"{}")
    create = runtime.intake.create_message
    await create(ORG_ID, application.id, draft)
    store.silent = silent
    publisher = asyncio.create_task(create(ORG_ID, application.id, draft))
    await asyncio.sleep(0.05)
    async with asyncio.timeout(30):
        await runtime.drain(0.5)
        await runtime.close()
    publisher.cancel()
