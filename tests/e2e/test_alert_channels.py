"""Real channels: a mail server through Apprise, and Debian's Alertmanager with a webhook behind."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from conftest import Missing
from support.alerting import make_finding
from support.alertmanager import alertmanager, find_program
from support.mailbox import mailbox, text_of
from support.processes import run, serving, shop
from support.receiver import Receiver, respond

from homing.channels import make_channels
from homing.insight.alerts.alert import Status, Told
from homing.insight.rates import exact
from homing.service.alerts.channel import NotTaken
from homing.service.alerts.verbs import test_alert as make_test_alert
from homing.system import SystemClock


def told(at_us: int, **fields: Any) -> Told:
    finding = make_finding(
        what="3 deliveries are unaccounted for",
        count=3,
        of=1_000,
        rate=exact(3, 1_000),
        money={"EUR": "120.00"},
        examples=("msg_1.ep_1", "msg_2.ep_1"),
        app_id="app_1",
        since_us=at_us,
        **fields,
    )
    return Told(alert_id=finding.id, status=Status.FIRING, finding=finding, fired_at_us=at_us)


async def test_an_email_says_all_that_an_alert_has_to_say() -> None:
    at_us = SystemClock().now_us()
    async with mailbox() as box:
        [channel] = make_channels([box.url])
        await channel.carry([told(at_us)], at_us=at_us)
        [letter] = box.letters
    assert letter["subject"] == "[Homing] ticket: 3 deliveries are unaccounted for"
    assert letter["to"] == "ops@example.org"
    text = text_of(letter)
    for line in (
        "TICKET 3 deliveries are unaccounted for",
        "how many: 3 of 1,000, 0.30% (exact 95% interval 0.062% to 0.87%)",
        "whose: the receiver's to mend, application app_1",
        "money: 120.00 EUR",
        "first examples: msg_1.ep_1, msg_2.ep_1",
        "look closer: homing doctor",
    ):
        assert line in text


async def test_a_mail_server_that_refuses_is_a_reason_and_not_a_success() -> None:
    at_us = SystemClock().now_us()
    async with mailbox() as box:
        box.refuses = True
        [channel] = make_channels([box.url])
        with pytest.raises(NotTaken):
            await channel.carry([make_test_alert("mailto-1", at_us)], at_us=at_us)
    with pytest.raises(NotTaken):  # and one that is not there
        await channel.carry([make_test_alert("mailto-1", at_us)], at_us=at_us)


async def test_alertmanager_takes_an_alert_and_its_end_and_forwards_both(
    tmp_path: Path, missing: Missing
) -> None:
    program = find_program()
    if program is None:
        missing("prometheus", "prometheus-alertmanager is not installed")
    at_us = SystemClock().now_us()
    one = told(at_us)
    over = msgspec.structs.replace(one, status=Status.RESOLVED, resolved_at_us=at_us)
    async with (
        Receiver() as receiver,
        alertmanager(program, tmp_path, receiver.url("/hook")) as place,
    ):
        [channel] = make_channels([f"alertmanager://{place}"], server_url="http://homing.example")
        await channel.carry([one], at_us=at_us)
        await channel.refresh([one], at_us=at_us + 1)
        await receiver.wait_for(1)
        await channel.carry([over], at_us=SystemClock().now_us())
        await receiver.wait_for(2)
    first, last = (json.loads(request.body) for request in receiver.requests[:2])
    assert (first["status"], last["status"]) == ("firing", "resolved")
    [alert] = first["alerts"]
    assert alert["labels"]["alertname"] == "HomingFirstDeadLetter"
    assert alert["labels"]["owner"] == "receiver"
    assert alert["annotations"]["rate"] == "0.30% (exact 95% interval 0.062% to 0.87%)"
    assert alert["annotations"]["examples"] == "msg_1.ep_1, msg_2.ep_1"
    assert last["alerts"][0]["fingerprint"] == alert["fingerprint"]


async def test_the_commands_tell_whether_a_channel_works(tmp_path: Path) -> None:
    async with mailbox() as box, Receiver() as receiver:
        receiver.script("/hook", respond(500, b"secretpath is not liked"))
        broken = receiver.url("/hook/secretpath").replace("http://", "json://user:opensesame@")
        async with serving(tmp_path, alerts=f"{box.url} {broken}") as homing:
            given = {"server_url": homing.url}
            code, out, _ = await run(tmp_path, "alerts", "channels", "--json", **given)
            assert code == 0
            assert [one["id"] for one in json.loads(out)] == ["mailto-1", "json-1"]
            assert "opensesame" not in out
            receiver.script("/hook/secretpath", respond(500))
            code, out, _ = await run(tmp_path, "alerts", "test", **given)
            assert code == 1
            assert "mailto-1: taken" in out
            assert "json-1: NOT TAKEN" in out
            assert "opensesame" not in out + "".join(homing.log)
            assert "secretpath" not in out + "".join(homing.log)
            code, out, _ = await run(tmp_path, "alerts", "test", "mailto-1", "--json", **given)
            assert (code, json.loads(out)) == (0, {"mailto-1": {"accepted": True, "error": None}})
            code, _, err = await run(tmp_path, "alerts", "test", "slack-1", **given)
            assert code == 2
            assert "there are: mailto-1, json-1" in err
            code, out, _ = await run(tmp_path, "alerts", "list", **given)
            assert code == 0
        assert {letter["subject"] for letter in box.letters} == {
            "[Homing] TEST: Homing tests the channel mailto-1: when you read this, "
            "alerts arrive here"
        }


async def test_a_dead_letter_comes_by_mail_by_webhook_and_in_the_api(tmp_path: Path) -> None:
    """The whole way, and a person who silences it."""
    settings = {"alerts_every_s": 1, "audit_every_s": 1, "retry_delays_s": "0.05"}
    async with mailbox() as box, Receiver() as receiver:
        receiver.script("/dead", respond(500))
        async with (
            serving(tmp_path, alerts=box.url, **settings) as homing,
            shop(homing, tmp_path) as publisher,
        ):
            given = {"server_url": homing.url}
            await publisher.http.post(
                "/operational-webhook/endpoint",
                json={"url": receiver.url("/ops"), "eventTypes": ["alert.firing"]},
            )
            endpoint = await publisher.add_endpoint(receiver.url("/dead"))
            await publisher.send(1)
            letter = await box.wait_for("dead letter", within_s=60)
            alert_id = f"first_dead_letter.{endpoint['id']}"
            assert f"homing alerts show {alert_id}" in text_of(letter)
            async with asyncio.timeout(60):
                while not [one for one in receiver.requests if one.path == "/ops"]:
                    await asyncio.sleep(0.05)
            [hook] = [json.loads(one.body) for one in receiver.requests if one.path == "/ops"]
            assert hook["type"] == "alert.firing"
            assert hook["data"]["alertId"] == alert_id
            assert hook["data"]["owner"] == "receiver"
            async with asyncio.timeout(60):  # that it was sent is written down once it was
                while True:
                    code, out, _ = await run(
                        tmp_path, "alerts", "show", alert_id, "--json", **given
                    )
                    assert code == 0
                    [notice] = json.loads(out)["notices"]
                    if notice["status"] != "pending":
                        break
            assert (notice["channel"], notice["status"]) == ("mailto-1", "sent")
            code, out, _ = await run(tmp_path, "alerts", "list", **given)
            assert code == 1
            assert alert_id in out
            for arguments in (("silence", alert_id, "--for", "2h"), ("acknowledge", alert_id)):
                code, out, err = await run(tmp_path, "alerts", *arguments, **given)
                assert code == 0, err
            code, out, _ = await run(tmp_path, "alerts", "show", alert_id, "--json", **given)
            known = json.loads(out)
            assert known["acknowledgedBy"].startswith("org_")
            assert known["silencedUntil"]
            metrics = (await publisher.http.get(f"{homing.url}/metrics")).text
            assert 'homing_alerts_firing{kind="first_dead_letter"} 1.0' in metrics
            assert 'homing_alert_notices_total{result="sent"} 1.0' in metrics
            ready = (await publisher.http.get(f"{homing.url}/ready")).json()
            assert ready["alerts"]["status"] == "ok"


async def test_a_channel_that_cannot_be_is_one_sentence_without_credentials(
    tmp_path: Path,
) -> None:
    for wrong, words in (
        ("nonsense://user:opensesame@host", "the first nonsense://…: expected a URL that Apprise"),
        ("opensesame", "number 1 does not begin with scheme://"),
    ):
        code, _, err = await run(tmp_path, "serve", alerts=wrong)
        assert code == 2, err
        assert words in err
        assert "opensesame" not in err
        assert err.count("\n") == 1, err
