"""What the showcase plants is as the service would have written it."""

from __future__ import annotations

from support.making import SEALS, START_US, make_application, make_endpoint

from bench.past import Past, Sent
from bench.showcase import healthy
from homing.core.queries import AttemptFilter, Page
from homing.core.sealing import secret_place
from homing.core.signature import beginnings, parse_secret, sign
from homing.store.memory.store import MemoryStore


async def test_the_attempts_of_the_past_are_signed_with_the_endpoints_secret() -> None:
    store = MemoryStore()
    app = make_application()
    endpoint = make_endpoint(app.id)
    await store.put(app)
    await store.put(endpoint)
    one = Sent(START_US, app, [(endpoint, healthy(1, 2, failing=0))], "a.b", b'{"n": 1}')
    await Past(store, START_US + 10_000_000, seals=SEALS).write([one])
    [attempt] = await store.attempts(AttemptFilter(app_id=app.id), Page(limit=9))
    keys = [parse_secret(SEALS.open(s.key, secret_place(endpoint.id))) for s in endpoint.secrets]
    made = sign(attempt.message_id, attempt.at_us // 1_000_000, one.payload, keys)
    assert attempt.signed == beginnings(made)
