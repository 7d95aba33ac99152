"""A publisher, an operator and a model in plain Python: the API says what the model says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import httpx
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

#: longest wait for the dispatcher to do what it is expected to, seconds
REST_S = 60.0

APPS = st.sampled_from(["shop", "bank"])
ENDPOINTS = st.sampled_from(["one", "other"])
PLACES = st.integers(min_value=0, max_value=99)


@dataclass
class Stand:
    """How a delivery must stand once everything is at rest."""

    state: str
    attempts: int


@dataclass
class End:
    """An endpoint."""

    id: str
    good: bool
    disabled: bool = False
    exists: bool = True


@dataclass
class App:
    """An application and all that belongs to it."""

    id: str
    ends: list[End] = field(default_factory=list)
    by_uid: dict[str, End] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    #: event id or idempotency key → the message and the payload that came with it
    seen: dict[str, tuple[str, int]] = field(default_factory=dict)
    deliveries: dict[str, Stand] = field(default_factory=dict)  #: by "msg_….ep_…"


class ApiMachine(RuleBasedStateMachine):
    """Subclass it with a server; `open_api_machine` does. Retries: one, at once."""

    run: Callable[[Coroutine[Any, Any, Any]], Any]
    #: a client of an organisation that nobody has used before
    client: Callable[[], httpx.AsyncClient]
    #: the URLs of a receiver that answers 200, and of one that answers 500
    good_url: str
    bad_url: str

    def __init__(self) -> None:
        super().__init__()
        self.http = self.client()
        self.apps: dict[str, App] = {}

    def teardown(self) -> None:
        for uid, app in self.apps.items():
            self._come_to_rest(uid, app)
        self.run(self.http.aclose())

    def call(self, method: str, path: str, status: int, **options: Any) -> Any:
        """The JSON that is answered, with this status."""
        response = self.run(self.http.request(method, f"/api/v1{path}", **options))
        assert response.status_code == status, f"{method} {path}: {response.text}"
        return response.json() if response.content else None

    # ── applications and endpoints ──

    @initialize()
    def begin(self) -> None:
        self.create_application("shop")
        self.create_endpoint("shop", "one", True)

    @rule(uid=APPS)
    def create_application(self, uid: str) -> None:
        status = 409 if uid in self.apps else 201
        made = self.call("POST", "/app", status, json={"name": uid, "uid": uid})
        if status == 201:
            self.apps[uid] = App(made["id"])

    @precondition(lambda self: len(self.apps) > 1)
    @rule(uid=APPS)
    def delete_application(self, uid: str) -> None:
        self.call("DELETE", f"/app/{uid}", 204)
        del self.apps[uid]
        self.call("GET", f"/app/{uid}", 404)
        self.call("GET", f"/app/{uid}/delivery", 404)

    @rule(app=APPS, uid=ENDPOINTS, good=st.booleans())
    def create_endpoint(self, app: str, uid: str, good: bool) -> None:
        body = {"url": self.good_url if good else self.bad_url, "uid": uid}
        found = self.apps.get(app)
        status = 404 if found is None else 409 if uid in found.by_uid else 201
        made = self.call("POST", f"/app/{app}/endpoint", status, json=body)
        if found is not None and status == 201:
            found.by_uid[uid] = End(made["id"], good)
            found.ends.append(found.by_uid[uid])

    @rule(app=APPS, uid=ENDPOINTS, good=st.booleans(), disabled=st.booleans())
    def change_endpoint(self, app: str, uid: str, good: bool, disabled: bool) -> None:
        body = {"url": self.good_url if good else self.bad_url, "disabled": disabled}
        end = self._end(app, uid)
        made = self.call("PATCH", f"/app/{app}/endpoint/{uid}", 200 if end else 404, json=body)
        if end is None:
            return
        assert made["disabled"] is disabled
        end.good, end.disabled = good, disabled
        for stand in self._of(app, end).values():
            if stand.state == "parked" and not disabled:
                self._attempted(end, stand)
        self._come_to_rest(app, self.apps[app])

    @rule(app=APPS, uid=ENDPOINTS)
    def delete_endpoint(self, app: str, uid: str) -> None:
        end = self._end(app, uid)
        self.call("DELETE", f"/app/{app}/endpoint/{uid}", 204 if end else 404)
        if end is None:
            return
        end.exists = False
        del self.apps[app].by_uid[uid]
        for stand in self._of(app, end).values():
            if stand.state == "parked":
                stand.state = "cancelled"
        self._come_to_rest(app, self.apps[app])

    # ── messages ──

    @rule(
        app=APPS,
        event_id=st.sampled_from([None, None, "first", "second"]),
        key=st.sampled_from([None, None, "key"]),
        payload=st.integers(min_value=1, max_value=2),
    )
    def send(self, app: str, event_id: str | None, key: str | None, payload: int) -> None:
        """Publish, perhaps for the second time, perhaps with another payload."""
        if key is not None:
            event_id = None  # which of the two would be found first is nobody's business
        body = {"eventType": "a", "payload": {"n": payload}, "eventId": event_id}
        headers = {"idempotency-key": key} if key else {}
        found = self.apps.get(app)
        name = event_id or key
        earlier = found.seen.get(name) if found and name else None
        status = 404 if found is None else 202
        if earlier is not None and earlier[1] != payload:
            status = 409
        made = self.call("POST", f"/app/{app}/msg", status, json=body, headers=headers)
        if found is None or status != 202:
            return
        if earlier is not None:
            assert made["id"] == earlier[0], "a repeat is answered with the first"
            return
        found.messages.append(made["id"])
        if name:
            found.seen[name] = (made["id"], payload)
        for end in found.by_uid.values():
            stand = found.deliveries[f"{made['id']}.{end.id}"] = Stand("parked", 0)
            if not end.disabled:
                self._attempted(end, stand)
        self._come_to_rest(app, found)

    @rule(app=APPS, uid=ENDPOINTS, place=PLACES)
    def resend(self, app: str, uid: str, place: int) -> None:
        """One attempt now; one that fails leaves things as they were."""
        found, end = self.apps.get(app), self._end(app, uid)
        if found is None or not found.messages:
            return
        message = found.messages[place % len(found.messages)]
        path = f"/app/{app}/msg/{message}/endpoint/{uid}/resend"
        self.call("POST", path, 202 if end else 404)
        if end is None:
            return
        stand = found.deliveries.get(f"{message}.{end.id}")
        if stand is None:
            stand = found.deliveries[f"{message}.{end.id}"] = Stand("parked", 0)
            if not end.disabled:
                self._attempted(end, stand)
        elif stand.state != "parked":
            stand.attempts += 1
            if end.good and not end.disabled:
                stand.state = "delivered"
        self._come_to_rest(app, found)

    @rule(app=APPS, place=PLACES, act=st.sampled_from(["redrive", "discard"]))
    def redrive_or_discard(self, app: str, place: int, act: str) -> None:
        """Dead letters, and deliveries that are none."""
        found = self.apps.get(app)
        if found is None or not found.deliveries:
            return
        dead = sorted(n for n, stand in found.deliveries.items() if stand.state == "dead")
        names = dead if dead and place % 4 else sorted(found.deliveries)
        name = names[place % len(names)]
        stand = found.deliveries[name]
        ok = 202 if act == "redrive" else 200
        body = {"json": {"why": "not needed"}} if act == "discard" else {}
        status = ok if stand.state == "dead" else 409
        self.call("POST", f"/app/{app}/dead-letter/{name}/{act}", status, **body)
        if status != ok:
            return
        end = next(end for end in found.ends if name.endswith(end.id))
        if act == "discard":
            stand.state = "cancelled"
        elif not end.exists or end.disabled:
            stand.attempts += 1
            stand.state = "parked" if end.exists else "cancelled"
        else:
            self._attempted(end, stand)
        self._come_to_rest(app, found)

    # ── looking ──

    @rule(app=APPS, limit=st.integers(min_value=1, max_value=3))
    def page_through(self, app: str, limit: int) -> None:
        """Every listing, page by page, gives each row once, in order."""
        uids = [row["uid"] for row in self._pages("/app", limit)]
        assert sorted(uids) == sorted(self.apps)
        found = self.apps.get(app)
        if found is None:
            self.call("GET", f"/app/{app}/msg", 404)
            return
        ends = [row["id"] for row in self._pages(f"/app/{app}/endpoint", limit)]
        assert sorted(ends) == sorted(end.id for end in found.by_uid.values())
        sent = [row["id"] for row in self._pages(f"/app/{app}/msg", limit)]
        assert sent == sorted(found.messages, reverse=True)
        dead = [row["id"] for row in self._pages(f"/app/{app}/dead-letter", limit)]
        assert sorted(dead) == sorted(
            name for name, stand in found.deliveries.items() if stand.state == "dead"
        )

    @rule(app=APPS, other=APPS, place=PLACES)
    def look_at_what_is_another_s(self, app: str, other: str, place: int) -> None:
        """A message is found in its own application only."""
        found = self.apps.get(app)
        if found is None or not found.messages:
            return
        message = found.messages[place % len(found.messages)]
        self.call("GET", f"/app/{other}/msg/{message}", 200 if other == app else 404)
        rows = self._pages(f"/app/{app}/attempt/msg/{message}", 2)
        mine = {n: s for n, s in found.deliveries.items() if n.startswith(message)}
        for name, stand in mine.items():
            made = [row for row in rows if name.endswith(row["endpointId"])]
            assert len(made) <= stand.attempts
            if stand.state == "delivered":
                assert any(row["status"] == 0 for row in made)

    # ── the model ──

    def _end(self, app: str, uid: str) -> End | None:
        found = self.apps.get(app)
        return found.by_uid.get(uid) if found else None

    def _of(self, app: str, end: End) -> dict[str, Stand]:
        rows = self.apps[app].deliveries.items()
        return {name: stand for name, stand in rows if name.endswith(end.id)}

    @staticmethod
    def _attempted(end: End, stand: Stand) -> None:
        """A whole schedule was made, to its end: one attempt that succeeds or two that fail."""
        stand.attempts += 1 if end.good else 2
        stand.state = "delivered" if end.good else "dead"

    def _pages(self, path: str, limit: int) -> list[Any]:
        rows: list[Any] = []
        params: dict[str, Any] = {"limit": limit}
        for _ in range(1_000):
            page = self.call("GET", path, 200, params=params)
            assert len(page["data"]) <= limit
            rows += page["data"]
            names = [row["id"] for row in rows]
            assert len(names) == len(set(names)), "a row came twice"
            if page["done"]:
                return rows
            params["iterator"] = page["iterator"]
        raise AssertionError(f"there is no end to {path}")

    def _come_to_rest(self, uid: str, app: App) -> None:
        """Every delivery stands, within a while, as the model says."""

        async def stands() -> dict[str, Stand]:
            params = {"limit": 250}
            answer = await self.http.get(f"/api/v1/app/{uid}/delivery", params=params)
            rows = answer.json()["data"]
            return {row["id"]: Stand(row["state"], row["attempts"]) for row in rows}

        async def wait() -> dict[str, Stand]:
            for _ in range(round(REST_S / 0.02)):
                found = await stands()
                if found == app.deliveries:
                    break
                await asyncio.sleep(0.02)
            return found

        assert self.run(wait()) == app.deliveries


def open_api_machine(**given: Any) -> type[ApiMachine]:
    """The machine for one server; `given` are the attributes of `ApiMachine`."""
    fields = {n: staticmethod(v) if callable(v) else v for n, v in given.items()}
    return type("ApiMachine", (ApiMachine,), fields)
