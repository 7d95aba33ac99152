from __future__ import annotations

from homing.review.incident import opened
from homing.web.pages.noting import concerns


def test_an_incident_is_about_what_it_names() -> None:
    incident = opened(
        scope="org_1",
        id="inc_1",
        at_us=0,
        actor="ada",
        title="Orders do not reach the warehouse",
        severity="high",
        owner="ada",
        service="stock of eu-1",
        objective="99.9%",
    )
    assert concerns(incident, ["ep_17", "Warehouse"])
    assert concerns(incident, ["EU-1"])
    assert not concerns(incident, ["ep_17", "Accounting"])
    assert not concerns(incident, ["e", ""]), "what is in every text means nothing"
    assert not concerns(incident, [])
