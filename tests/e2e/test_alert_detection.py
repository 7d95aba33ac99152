"""A planted drop of three in a thousand is told by email, in minutes, with its number and interval.

The service is a real one whose retry forgets (`support/faulty_node.py leaky`); the receiver refuses
a twentieth of first requests; the mail goes through Apprise to a real SMTP server.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from support.mailbox import mailbox, text_of
from support.processes import audit, run, serving, shop
from support.receiver import Exchange, Receiver, response_bytes

FAULTY = str(Path(__file__).parents[1] / "support" / "faulty_node.py")
#: of the requests, every so many is refused at first
REFUSED_ONE_IN = 20
#: of those, per mille, how many vanish: 0.3% of all
LEAK_PERMILLE = 60


def fussy() -> Any:
    """A receiver that refuses every twentieth first request."""
    seen = set[str]()

    async def behave(exchange: Exchange) -> bool:
        name = exchange.request.headers["webhook-id"]
        is_refused = name not in seen and len(seen) % REFUSED_ONE_IN == REFUSED_ONE_IN // 2
        seen.add(name)
        await exchange.write(response_bytes(503 if is_refused else 200))
        return True

    return behave


async def detect(folder: Path, *, rate: float, within_s: float, **settings: object) -> float:
    """Publish at `rate` a second until the mail comes; seconds from the first drop to the mail."""
    async with mailbox() as box, Receiver(otherwise=fussy()) as receiver:
        homing_serve = serving(
            folder,
            program=(FAULTY, "leaky"),
            test_leak_permille=LEAK_PERMILLE,
            alerts=box.url,
            **settings,
        )
        async with homing_serve as homing, shop(homing, folder) as publisher:
            await publisher.add_endpoint(receiver.url("/hook"))
            began, sent = time.monotonic(), 0
            mail = asyncio.create_task(box.wait_for("unaccounted for", within_s=within_s))
            while not mail.done():
                await publisher.send(sent)
                sent += 1
                await asyncio.sleep(max(began + sent / rate - time.monotonic(), 0))
            took_s = time.monotonic() - began
            letter = await mail
            code, listed, err = await run(folder, "alerts", "list", "--json", server_url=homing.url)
            assert code == 1, err
    [alert] = [one for one in json.loads(listed) if one["kind"] == "unaccounted"]
    text = text_of(letter)
    print(f"\nafter {took_s:.1f} s and {sent} messages:\n{letter['subject']}\n{text}")
    _check(text, alert)
    report = await audit(folder)
    named = {one["delivery"] for one in report["misfits"]}
    assert set(re.findall(r"msg_\w+\.ep_\w+", text)) <= named
    return took_s


def _check(text: str, alert: dict[str, Any]) -> None:
    """What, since when, how many, whose, how much money, examples, and the command."""
    found = re.search(
        r"how many: ([\d,]+) of ([\d,]+), ([\d.]+)% \(exact 95% interval ([\d.]+)% to ([\d.]+)%\)",
        text,
    )
    assert found, text
    count, of = (int(one.replace(",", "")) for one in found.group(1, 2))
    rate, low, high = (float(one) for one in found.group(3, 4, 5))
    assert 1 <= count < of
    assert low < rate < high
    assert low < 0.3 < high
    assert re.search(r"since: 20\d\d-\d\d-\d\dT", text)
    assert "whose: the platform's to mend" in text
    assert "money: not declared" in text
    assert re.search(r"first examples: msg_\w+\.ep_\w+", text)
    assert "look closer: homing audit --since 20" in text
    assert alert["severity"] == "page"
    assert alert["count"] >= count


@pytest.mark.slow
async def test_a_drop_is_told_at_once_when_everything_is_ten_times_faster(tmp_path: Path) -> None:
    """The same with audits every second, and the traffic of a minute in six seconds."""
    await detect(
        tmp_path, rate=100.0, within_s=60, audit_every_s=1, alerts_every_s=1, retry_delays_s="0.2,5"
    )


@pytest.mark.explore
async def test_a_drop_at_ten_a_second_is_told_within_five_minutes_by_default(
    tmp_path: Path,
) -> None:
    """In real time and with default settings: minutes long."""
    took_s = await detect(tmp_path, rate=10.0, within_s=300, retry_delays_s="5,300,1800")
    assert took_s < 300
