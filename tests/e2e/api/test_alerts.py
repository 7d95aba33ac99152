"""Alerts over the API: whose they are, and what can be done with them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from support.alerting import make_alert, make_finding
from support.serving import Served, org_token, serving

from homing.insight.alerts.alert import Status
from homing.knobs import ChannelUrl
from homing.store import open_store


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    """With an alert of the operator's, one of another organisation's, and one that is over."""
    store = await open_store("memory:")
    for alert in (
        make_alert(make_finding(subject="ep_1", org_id="org_other")),
        make_alert(make_finding(subject="ep_2", org_id="")),
        make_alert(make_finding(subject="ep_3", org_id=""), status=Status.RESOLVED),
    ):
        await store.put(alert)
    channels = (ChannelUrl("json://user:opensesame@127.0.0.1:1/hook"),)
    async with serving(store, dispatching=False, alerts=channels) as served:
        yield served


async def test_an_organisation_sees_its_own_alerts_and_the_operator_all(served: Served) -> None:
    async with served.client() as operator, served.client(org_token("org_other")) as other:
        all_of_them = (await operator.get("/api/v1/alert")).json()["data"]
        assert [one["id"] for one in all_of_them] == [
            f"first_dead_letter.ep_{n}" for n in (1, 2, 3)
        ]
        firing = (await operator.get("/api/v1/alert", params={"status": "firing"})).json()["data"]
        assert len(firing) == 2
        own = (await other.get("/api/v1/alert")).json()["data"]
        assert [one["orgId"] for one in own] == ["org_other"]
        assert (await other.get("/api/v1/alert/first_dead_letter.ep_2")).status_code == 404
        found = (await other.get("/api/v1/alert/first_dead_letter.ep_1")).json()
        assert found["notices"] == []  # who else was told is the operator's
        for path in ("/api/v1/alert-channel", "/api/v1/alert-channel/json-1/test"):
            method = "POST" if path.endswith("test") else "GET"
            assert (await other.request(method, path)).status_code == 403


async def test_an_alert_is_silenced_for_a_time_told_again_and_acknowledged(served: Served) -> None:
    path = "/api/v1/alert/first_dead_letter.ep_2"
    async with served.client() as operator:
        silenced = (await operator.post(f"{path}/silence", json={"forS": 3600})).json()
        assert silenced["silencedUntil"] > silenced["firedAt"]
        assert (await operator.post(f"{path}/silence", json={"forS": 0})).json()[
            "silencedUntil"
        ] is None
        assert (await operator.post(f"{path}/silence", json={"forS": -1})).status_code == 422
        assert (await operator.post(f"{path}/acknowledge")).json()["acknowledgedBy"]
        over = await operator.post("/api/v1/alert/first_dead_letter.ep_3/acknowledge")
        assert over.status_code == 409


async def test_a_test_says_whether_it_was_taken_and_shows_no_credentials(served: Served) -> None:
    async with served.client() as operator:
        listed = await operator.get("/api/v1/alert-channel")
        assert listed.json()["data"] == [{"id": "json-1", "url": "json://…@127.0.0.1:1/…"}]
        tested = await operator.post("/api/v1/alert-channel/json-1/test")
        assert tested.json()["accepted"] is False
        assert "opensesame" not in listed.text + tested.text
        assert (await operator.post("/api/v1/alert-channel/mailto-1/test")).status_code == 404


async def test_that_nobody_watches_is_seen_by_whoever_looks(served: Served) -> None:
    async with served.client() as anyone:
        assert (await anyone.get("/ready")).json()["alerts"] == {"status": "ok", "detail": None}
        # As if the process had been up for an hour; nothing evaluates in it.
        served.runtime.alerting.watcher._started_us -= 3_600_000_000
        ready = await anyone.get("/ready")
        assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
        assert "nobody has looked" in ready.json()["alerts"]["detail"]
        health = await anyone.get("/api/v1/health")
        assert health.json()["alerts"]["status"] == "error"
        assert (health.status_code, health.json()["status"]) == (200, "ok")
