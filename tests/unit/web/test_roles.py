"""Which role each operation needs."""

from __future__ import annotations

from typing import Any, cast

from homing.service.context import Service
from homing.service.tokens import Role
from homing.web.app import route_table
from homing.web.roles import OPERATORS, role_of

#: everything that an operator may change; what is new and changes something is an admin's
#: until it is written here and in the table
OPERATOR_OPERATIONS = """
v1.alert-channel.test v1.alert.acknowledge v1.alert.silence
v1.background-task.cancel v1.background-task.pause v1.background-task.resume
v1.dead-letter.discard v1.dead-letter.discard-many v1.dead-letter.redrive
v1.dead-letter.redrive-many v1.dead-letter.undo v1.dead-letter.undo-many
v1.delivery.cancel
v1.endpoint.bulk-replay v1.endpoint.patch v1.endpoint.recover v1.endpoint.replay-missing
v1.endpoint.send-example
v1.incident.change v1.incident.create v1.incident.put v1.incident.put-rows v1.incident.put-rows-page
v1.issue.acknowledge v1.issue.merge v1.issue.mute v1.issue.reopen v1.issue.resolve
v1.message-attempt.resend v1.message.create v1.message.create-batch
v1.statistics.aggregate-app-stats v1.statistics.aggregate-event-types
"""


def roles() -> dict[str, Role]:
    return {one.id: role_of(one) for one in route_table(cast(Service, cast(Any, None)))}


def test_operators_move_traffic_and_nothing_else() -> None:
    found = {name for name, role in roles().items() if role is Role.OPERATOR}
    assert found == set(OPERATOR_OPERATIONS.split())


def test_secrets_are_an_admins() -> None:
    found = roles()
    for name in ("get-secret", "rotate-secret", "create", "delete", "update-headers"):
        assert found[f"v1.endpoint.{name}"] is Role.ADMIN
    assert found["v1.endpoint.list"] is Role.VIEWER


def test_every_line_of_the_table_is_about_something() -> None:
    ids = set(roles())
    groups = {name.rpartition(".")[0] for name in ids}
    assert ids | groups >= OPERATORS
