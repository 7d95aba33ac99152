"""The description of all this, for programs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import msgspec

from homing.web.openapi import document
from homing.web.operation import Answer, Call, Operation, operation
from homing.web.schemas import NoQuery


def openapi_operation(others: Sequence[Operation]) -> Operation:
    """Serves the OpenAPI document of the other operations and of itself."""

    @cache
    def content() -> bytes:
        return msgspec.json.encode(document([*others, get_document]))

    @operation(
        "GET",
        "/openapi.json",
        "openapi",
        "This document",
        tag="Description",
        answers={200: dict[str, Any]},
        public=True,
    )
    async def get_document(call: Call[NoQuery, None]) -> Answer:
        return Answer(200, content())

    return get_document
