"""Operations that Svix's SDKs have and Homing does not: 501 rather than 404, so that a caller sees
that it is not the name that is wrong."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import resources
from typing import Any, Final

from homing.core.errors import NotServed
from homing.web.operation import Answer, Operation

_PARAMETER: Final = re.compile(r"\{\w+\}")


#: where it is written what is not offered, and why
PAGE: Final = "docs/reference/api.md#what-is-not-offered"


async def _refuse(call: Any) -> Answer:
    raise NotServed(f"Homing does not offer this operation; {PAGE} says which it does not")


def not_served(served: Sequence[Operation]) -> list[Operation]:
    """An operation for each line of `not_served.txt`.

    Args:
        served: where one of these has the same path but for the names in it, its names are taken,
            so that both belong to one path.
    """
    paths = {_PARAMETER.sub("{}", operation.path): operation.path for operation in served}
    lines = resources.files(__package__).joinpath("not_served.txt").read_text().splitlines()
    operations = []
    for line in lines:
        method, _, path = line.partition(" ")
        shape = _PARAMETER.sub("{}", path)
        operations.append(
            Operation(
                method=method,
                path=paths.setdefault(shape, path),
                id=f"not-served {line}",
                summary="Not offered",
                tag="",
                handle=_refuse,
                answers={},
                keeps_reply=False,
            )
        )
    return operations
