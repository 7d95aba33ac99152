"""Which role an operation of the API needs: the one table. Pages say theirs where they are routed.

A viewer may ask for whatever changes nothing and tells no secret. What changes traffic is an
operator's; everything else that changes something, or tells a secret, is an admin's, so that an
operation that nobody thought of is not given away. A token of one application has no role: within
its application it is an admin, or may only read.
"""

from __future__ import annotations

from typing import Final

from homing.service.tokens import Role
from homing.web.operation import Operation

#: operations, or all whose ids begin with these words and a dot
OPERATORS: Final = frozenset(
    {
        "v1.message.create",
        "v1.message.create-batch",
        "v1.message-attempt.resend",
        "v1.endpoint.patch",  # to park and enable; its handler wants an admin for all else
        "v1.endpoint.recover",
        "v1.endpoint.replay-missing",
        "v1.endpoint.bulk-replay",
        "v1.endpoint.send-example",
        "v1.dead-letter",
        "v1.delivery",
        "v1.issue",
        "v1.background-task",
        "v1.statistics",
        "v1.alert",
        "v1.alert-channel",
        "v1.incident",
    }
)


def role_of(operation: Operation) -> Role:
    """The least role that may ask for it."""
    if not operation.changes and not operation.tells_secret:
        return Role.VIEWER
    named = {operation.id, operation.id.rpartition(".")[0]}
    is_traffic = not OPERATORS.isdisjoint(named) and not operation.tells_secret
    return Role.OPERATOR if is_traffic else Role.ADMIN
