"""Every command as a person types it, against a real service."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from support.processes import Homing, environment, kill, read_until, run, serving
from support.receiver import Receiver, respond


class Person:
    """Types commands in a folder where `homing serve` runs."""

    def __init__(self, folder: Path, homing: Homing, **settings: str) -> None:
        self._folder = folder
        self._settings = settings
        self.url = homing.url

    async def types(self, *words: str, code: int = 0) -> str:
        """What a command prints; it must end with this code."""
        found, out, err = await run(
            self._folder, *words, listen=self.url.removeprefix("http://"), **self._settings
        )
        assert found == code, f"{' '.join(words)} ended with {found}: {out}{err}"
        assert "Traceback" not in err
        return out if code != 2 else err

    async def asks(self, *words: str, code: int = 0) -> Any:
        """The same with --json, parsed."""
        return json.loads(await self.types(*words, "--json", code=code))

    async def sees_delivered(self, count: int) -> None:
        """Audits until the books say so."""
        async with asyncio.timeout(60):
            while True:
                report = await self.asks("audit")
                if report["total"]["delivered"] == count:
                    return


@pytest.fixture
async def person(tmp_path: Path) -> AsyncIterator[Person]:
    async with serving(tmp_path, retry_delays_s="0.1", retry_jitter="0") as homing:
        yield Person(tmp_path, homing)


async def test_applications_endpoints_and_event_types_are_made_changed_and_removed(
    person: Person,
) -> None:
    made = await person.asks("application", "create", "The Shop", "--uid", "shop")
    again = await person.asks("application", "create", "x", "--uid", "shop", "--if-missing")
    assert made["id"] == again["id"]
    await person.types("application", "update", "shop", "--name", "Shop, Ltd.")
    assert "Shop, Ltd." in await person.types("application", "list")
    keeping = ("--retain", "payload=30", "--retain", "log=0")
    await person.types("application", "update", "shop", *keeping)
    kept = await person.asks("application", "update", "shop", "--retain", "payload=default")
    assert (kept["retention"]["payloadDays"], kept["retention"]["logDays"]) == (None, 0)
    assert "log for ever" in await person.types("application", "get", "shop")
    wrong = await person.types("application", "update", "shop", "--retain", "logs=1", code=2)
    assert "expected one of payload, attempts, log, dead-letters" in " ".join(wrong.split())

    await person.types("event-type", "create", "refund.created", "--description", "Money back")
    assert "Money back" in await person.types("event-type", "get", "refund.created")
    assert [e["name"] for e in await person.asks("event-type", "list")] == ["refund.created"]

    refused = await person.types("endpoint", "create", "shop", "http://10.0.0.1/", code=2)
    assert "url: expected a public address" in refused
    assert "HOMING_EGRESS_ALLOW" in refused
    url = "http://127.0.0.1:1/hook"
    endpoint = await person.asks(
        "endpoint", "create", "shop", url, "--event-type", "refund.created"
    )
    secret = await person.types("endpoint", "secret", "shop", endpoint["id"])
    assert secret.startswith("whsec_")
    rotated = await person.types("endpoint", "secret", "shop", endpoint["id"], "--rotate")
    assert rotated != secret
    await person.types("endpoint", "update", "shop", endpoint["id"], "--disable")
    assert "disabled" in await person.types("endpoint", "get", "shop", endpoint["id"])
    await person.types("endpoint", "update", "shop", endpoint["id"], "--all-event-types")
    assert (await person.asks("endpoint", "stats", "shop", endpoint["id"]))["success"] == 0
    await person.types("endpoint", "delete", "shop", endpoint["id"], "--yes")
    assert await person.asks("endpoint", "list", "shop") == []

    await person.types("event-type", "delete", "refund.created")
    assert await person.asks("event-type", "list") == []
    await person.types("application", "delete", "shop", "--yes")
    assert "no application" in await person.types("application", "get", "shop", code=2)


async def test_a_message_is_sent_seen_resent_and_forgotten(person: Person) -> None:
    async with Receiver() as receiver:
        receiver.script("/hook", respond(200))
        await person.types("application", "create", "shop", "--uid", "shop")
        endpoint = await person.asks("endpoint", "create", "shop", receiver.url("/hook"))
        sent = await person.asks(
            "send", "shop", "payment.captured", '{"amount": 42}', "--wait", "60"
        )
        assert [d["statusText"] for d in sent["deliveries"]] == ["success"]
        assert json.loads(receiver.requests[0].body) == {"amount": 42}
        assert sent["id"] in await person.types("message", "list", "shop")
        assert "payment.captured" in await person.types("message", "get", "shop", sent["id"])

        await person.types("message", "resend", "shop", sent["id"], endpoint["id"])
        await receiver.wait_for(2)
        async with asyncio.timeout(60):
            attempts: list[dict[str, Any]] = []
            while len(attempts) < 2:
                attempts = await person.asks("attempt", "list", "shop", "--message", sent["id"])
        assert sent["id"][-8:] in await person.types(
            "attempt", "list", "shop", "--endpoint", endpoint["id"]
        )
        first = attempts[-1]["id"]
        assert first in await person.types("attempt", "get", "shop", sent["id"], first)
        await person.types("attempt", "expunge", "shop", sent["id"], first, "--yes")
        await person.types("message", "expunge", "shop", sent["id"], "--yes")
        assert (await person.asks("message", "get", "shop", sent["id"]))["payload"] != {
            "amount": 42
        }


async def test_a_dead_letter_is_listed_redriven_and_discarded(person: Person) -> None:
    async with Receiver() as receiver:
        receiver.script("/hook", respond(500), respond(500), respond(200))
        await person.types("application", "create", "shop", "--uid", "shop")
        await person.types("endpoint", "create", "shop", receiver.url("/hook"))
        sent = await person.asks("send", "shop", "payment.failed", "--wait", "60", code=1)
        (letter,) = await person.asks("dlq", "list", "shop", code=1)
        assert (letter["msgId"], letter["reason"]) == (sent["id"], "attempts_exhausted")
        assert "status 500" in await person.types("dlq", "show", "shop", letter["id"])
        redrive = ("dlq", "redrive", "shop")
        assert "would be redriven: 1" in await person.types(*redrive, "--all", "--dry-run")
        done = await person.types(*redrive, "--all", "--watch")
        assert "finished qtask_" in done
        assert "1 sent, 1 delivered" in done
        await receiver.wait_for(3)
        await person.sees_delivered(1)

        receiver.script("/hook", respond(500))
        await person.asks("send", "shop", "payment.failed", "--wait", "60", code=1)
        (letter,) = await person.asks("dlq", "list", "shop", code=1)
        words = ("dlq", "discard", "shop", letter["id"], "--why", "paid by phone")
        await person.types(*words, "--watch")
        assert await person.asks("dlq", "list", "shop") == []
        assert (await person.asks("audit"))["total"]["cancelled"] == 1


async def test_what_went_wrong_is_sent_again_by_tasks_that_can_be_watched(person: Person) -> None:
    async with Receiver() as receiver:
        receiver.script("/hook", respond(500))
        receiver.script("/late", respond(200))
        await person.types("application", "create", "shop", "--uid", "shop")
        main = await person.asks("endpoint", "create", "shop", receiver.url("/hook"))
        await person.asks("send", "shop", "payment.failed", "--wait", "60", code=1)
        late = await person.asks("endpoint", "create", "shop", receiver.url("/late"))
        receiver.script("/hook", respond(200))

        words = ("shop", main["id"], "--since", "1h")
        done = await person.asks("recover", *words, "--watch")
        assert (done["status"], done["data"]["messagesSent"]) == ("finished", 1)
        await person.sees_delivered(1)
        words = ("shop", late["id"], "--since", "1h")
        assert "1 sent again" in await person.types("replay-missing", *words, "--watch")
        words = ("shop", main["id"], "--since", "1h")
        started = await person.asks("replay", *words, "--event-type", "payment.failed")
        assert started["task"] == "endpoint.bulk-replay"
        shown = await person.types("tasks", "show", started["id"], "--watch")
        assert "messagesSent" in shown
        assert [t["action"] for t in await person.asks("tasks", "list")] == [
            *("replay", "replay-missing", "recover")
        ]
        assert "is not running" in await person.types("tasks", "cancel", done["id"], code=2)

        await person.sees_delivered(2)  # what was sent again has come, and is under way no more
        await person.types("endpoint", "update", "shop", main["id"], "--disable")
        await person.types("send", "shop", "payment.failed")
        words = ("message", "expunge-all", "shop", "--yes", "--watch")
        told = await person.types(*words, "--keep-unfinished")
        assert "1 forgotten, 1 kept" in told
        assert "1 forgotten, 1 dead because of it" in await person.types(*words)
        since = ("--since", "20d")
        assert "at most 14 days" in await person.types(
            "recover", "shop", late["id"], *since, code=2
        )


async def test_the_log_can_be_followed_and_exported_while_the_service_runs(
    person: Person, tmp_path: Path
) -> None:
    async with Receiver() as receiver:
        receiver.script("/hook", respond(200))
        await person.types("application", "create", "shop", "--uid", "shop")
        await person.types("endpoint", "create", "shop", receiver.url("/hook"))
        for _ in range(3):
            await person.types("send", "shop", "payment.captured", "--wait", "60")
    lines = (await person.types("tail", "--from-start", "--no-follow")).splitlines()
    assert [line.split()[1] for line in lines].count("accepted") == 3
    told = await run(tmp_path, "tail", "--from-start", "--no-follow", listen="127.0.0.1:1")
    assert told[2].split()[:5] == ["time", "event", "→", "state", "delivery"], "beside the data"
    exported = [json.loads(line) for line in (await person.types("export")).splitlines()]
    assert [line["op"] for line in exported].count("succeeded") == 3
    rest = await person.types("export", "--after", exported[2]["cursor"])
    assert len(rest.splitlines()) == len(exported) - 3

    parquet = pytest.importorskip("pyarrow.parquet")
    await person.types("export", "--format", "parquet", "--output", "log.parquet")
    assert parquet.read_table(tmp_path / "log.parquet").num_rows == len(exported)


async def test_audit_names_a_delivery_that_somebody_deleted(person: Person, tmp_path: Path) -> None:
    async with Receiver() as receiver:
        receiver.script("/hook", respond(200))
        await person.types("application", "create", "shop", "--uid", "shop")
        await person.types("endpoint", "create", "shop", receiver.url("/hook"))
        sent = await person.asks("send", "shop", "payment.captured", "--wait", "60")
    assert "balanced: 1 accepted = 1 delivered" in await person.types("audit")
    with sqlite3.connect(tmp_path / "homing.db") as database:
        assert database.execute("DELETE FROM history").rowcount == 1
    database.close()
    report = await person.asks("audit", code=1)
    assert report["unaccounted"] == 1
    assert report["misfits"][0]["delivery"].startswith(sent["id"])
    assert "1 unaccounted for" in await person.types("audit", "--windows", code=1)


async def test_listen_verifies_and_can_be_told_to_refuse_first(
    person: Person, tmp_path: Path
) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "homing.cli", "listen", "--application", "shop", "--port", "0"),
        *("--then-ok", "1", "--count", "2", "--json"),
        cwd=tmp_path,
        env=environment("sqlite:///homing.db", listen=person.url.removeprefix("http://")),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    await read_until(process.stderr, "Ctrl-C stops", 60)
    await person.types("send", "shop", "payment.captured", '{"amount": 1}', "--wait", "60")
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0
    arrivals = [json.loads(line) for line in out.splitlines()]
    assert [(a["verified"], a["status"]) for a in arrivals] == [(True, 503), (True, 200)]
    assert await person.asks("endpoint", "list", "shop") == [], "its endpoint went with it"


async def test_doctor_finds_nothing_wrong_with_a_service_that_runs(
    person: Person, tmp_path: Path
) -> None:
    _, out, err = await run(tmp_path, "doctor", "--json")
    findings = {finding["check"]: finding for finding in json.loads(out)}
    assert {"disk", "fsync", "egress"} <= findings.keys(), "which are this machine's"
    for check in ("configuration", "database", "durability", "clock"):
        assert findings[check]["is_fine"], err


async def test_doctor_says_how_to_mend_what_it_finds(tmp_path: Path) -> None:
    code, out, _ = await run(tmp_path, "doctor", listen="0.0.0.0:0", egress_allow="0.0.0.0/0")
    assert code == 1
    for mend in ("a proxy that ends TLS", "name the networks"):
        assert mend in out
    assert not list(tmp_path.iterdir()), "it changes nothing"


async def test_before_the_first_start_the_doctor_says_what_comes_next(tmp_path: Path) -> None:
    _, out, err = await run(tmp_path, "doctor", "--json")
    database = next(one for one in json.loads(out) if one["check"] == "database")
    assert (database["is_fine"], database["mend"]) == (True, "`homing serve` makes it"), err
    assert not list(tmp_path.iterdir()), "it changes nothing"


async def test_a_token_of_one_application_may_do_no_more_than_that(person: Person) -> None:
    made = await person.asks("application", "create", "shop", "--uid", "shop")
    token = (await person.asks("token", "--application", made["id"]))["token"]
    assert made["id"] in await person.types("application", "get", "shop", "--token", token)
    assert "403" in await person.types("application", "create", "x", "--token", token, code=2)


async def test_a_pipe_that_is_closed_early_is_no_error(person: Person, tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_shell(
        f"{sys.executable} -m homing.cli settings | head -1; "
        f"{{ {sys.executable} -m homing.cli settings; echo $? >&2; }} | true",
        cwd=tmp_path,
        env=environment("sqlite:///homing.db"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert (out.split()[0], err) == (b"setting", b"0\n")


async def test_a_reader_that_leaves_early_changes_nothing_of_what_was_found(tmp_path: Path) -> None:
    settings = environment("sqlite:///homing.db") | {"HOMING_EGRESS_ALLOW": "0.0.0.0/0"}
    doctor = f"{sys.executable} -m homing.cli doctor"
    process = await asyncio.create_subprocess_shell(
        f"{doctor} >&2; echo $? >&2; {{ {doctor}; echo left $? >&2; }} | true",
        cwd=tmp_path,
        env=settings,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    _, err = await asyncio.wait_for(process.communicate(), 60)
    assert "Traceback" not in err.decode()
    assert err.decode().splitlines()[-2:] == ["1", "left 1"]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("application", "list"), "no answer from http://127.0.0.1:1"),
        (("audit",), "there is no such file"),
        (("send", "shop", "x", "{"), "the payload is not JSON"),
        (("attempt", "list", "shop"), "expected --message or --endpoint"),
        (("token", "--application", "shop"), "begins with app_"),
        (("export", "--after", "x"), "expected a cursor such as"),
        (("audit", "--since", "yesterday"), "expected a time such as"),
        (("serve", "--workers", "0"), "expected 1 to 64"),
        (("wander",), "No such command 'wander'"),
        (("invetigate",), "Did you mean investigate?"),
        (("review", "a.json", "--incident", "b.json"), "expected one incident; found a.json and"),
        (
            ("application", "list", "--server-url", "shop"),
            "a URL that begins with https:// or http://",
        ),
        (("recover", "shop", "ep_1", "--since", "yesterday"), "expected a time such as"),
        (("send", "shop", "x", "@nothing.json"), "nothing.json: cannot be read: No such file"),
        (("lab", "--folder", "/dev/null/lab"), "/dev/null/lab: Not a directory"),
        (("lab", "--step", "dance"), "--step: expected one of"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
async def test_bad_input_is_one_sentence_and_exit_code_2(
    words: tuple[str, ...], complaint: str, tmp_path: Path
) -> None:
    code, out, err = await run(tmp_path, *words, listen="127.0.0.1:1")
    assert (code, out) == (2, "")
    assert complaint in err.replace("\n", " ")
    assert "Traceback" not in err


async def test_a_secret_is_followed_by_another_and_the_doctor_says_what_is_left_to_do(
    tmp_path: Path,
) -> None:
    former, present = "the former secret of the tests", "the present secret of the tests"

    async def secrets_finding(**settings: str) -> tuple[int, dict[str, Any]]:
        code, out, err = await run(tmp_path, "doctor", "--json", **settings)
        assert code in (0, 1), err
        (found,) = [one for one in json.loads(out) if one["check"] == "secrets"]
        return code, found

    async with serving(tmp_path, secret=former) as homing:
        made = Person(tmp_path, homing, secret=former)
        await made.types("application", "create", "The Shop", "--uid", "shop")
        endpoint = await made.asks("endpoint", "create", "shop", "http://127.0.0.1:1/hook")
    _, fine = await secrets_finding(secret=former)
    assert (fine["is_fine"], fine["saw"]) == (True, "sealed with the present secret: 1 endpoint")
    code, lost = await secrets_finding(secret=present)
    assert (code, lost["is_fine"]) == (1, False)
    assert endpoint["id"] in lost["saw"]
    both = {"secret": present, "secret_previous": former}
    _, left = await secrets_finding(**both)
    assert "homing secrets reseal" in left["mend"]
    code, out, _ = await run(tmp_path, "secrets", "reseal", secret=present)
    assert (code, endpoint["id"] in out) == (1, True)

    code, out, err = await run(tmp_path, "secrets", "reseal", "--json", **both)
    assert (code, json.loads(out)) == (0, {"present": 0, "resealed": [endpoint["id"]], "lost": []})
    code, out, err = await run(tmp_path, "secrets", "reseal", secret=present)
    assert (code, out) == (0, "sealed anew: 0 endpoints; were so already: 1\n"), err
    assert (await secrets_finding(secret=present))[1]["is_fine"]


async def test_a_token_for_reading_reads(person: Person) -> None:
    token = (await person.types("token", "--read-only", "--days", "1")).strip()
    assert await person.asks("application", "list", "--token", token) == []
    refused = await person.types("application", "create", "x", "--token", token, code=2)
    assert "may only read" in refused.replace("\n", " ")


async def test_a_token_of_an_operator_says_what_it_may_not(person: Person) -> None:
    token = (await person.types("token", "--role", "operator")).strip()
    assert await person.asks("application", "list", "--token", token) == []
    refused = await person.types("application", "create", "x", "--token", token, code=2)
    assert "needs the role admin" in refused.replace("\n", " ")
    of_app = ("token", "--role", "operator", "--application", "app_1")
    assert "has no role" in (await person.types(*of_app, code=2)).replace("\n", " ")


async def test_without_a_secret_and_a_token_a_command_says_what_to_do(tmp_path: Path) -> None:
    code, _, err = await run(tmp_path, "application", "list", secret="")
    assert code == 2
    assert "homing token" in err
    code, _, err = await run(tmp_path, "listen", "--application", "shop", "--port", "0", secret="")
    assert code == 2
    assert "start `homing serve` in this folder first" in " ".join(err.split())
    assert "listening" not in err, "what it needs is asked for first"
    assert not list(tmp_path.iterdir()), "asking makes nothing"


async def test_the_demo_balances_its_books_without_a_terminal(tmp_path: Path) -> None:
    code, out, err = await run(
        tmp_path, "demo", "--duration", "4", "--rate", "100", "--listen", "127.0.0.1:0", "--json"
    )
    assert code == 0, err
    summary = json.loads(out)
    assert summary["balanced"]
    assert summary["unverified"] == 0
    assert summary["total"]["accepted"] > 5
    assert summary["received"]["books"] > 20
    assert summary["retried"] > 0
    # the last line about how it stands is read after all has stopped, as the books are
    last = re.findall(r"(\w+) +(\d+)", err.strip().splitlines()[-1])
    shown = {name: int(count) for name, count in last if name in summary["total"]}
    assert {"accepted", "delivered", "dead", "waiting", "leased", "parked"} <= shown.keys()
    assert shown == {name: summary["total"][name] for name in shown}


async def test_the_demo_ends_a_live_screen_with_what_is_true(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    words = ("demo", "--duration", "3", "--rate", "20", "--listen", "127.0.0.1:0")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "homing.cli", *words),
        cwd=tmp_path,
        env=environment("sqlite:///homing.db") | {"TERM": "xterm", "COLUMNS": "100"},
        stdout=theirs,
        stderr=asyncio.subprocess.PIPE,
    )
    os.close(theirs)
    screen = await asyncio.to_thread(_read_all, ours)
    assert await process.wait() == 0
    end = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen).rpartition("drained and stopped")[2]
    heads, counts = [line.split() for line in end.splitlines() if line.strip()][:2]
    told = dict(zip(heads, counts, strict=True))
    assert (told["waiting"], told["leased"]) == ("0", "0")
    balance = end.strip().splitlines()[-1]
    assert balance.startswith(f"balanced: {told['accepted']} accepted = ")
    assert end.count("balanced: ") == 1


def _read_all(terminal: int) -> str:
    text = b""
    with suppress(OSError):  # its other end is closed
        while some := os.read(terminal, 65_536):
            text += some
    os.close(terminal)
    return text.decode(errors="replace")


async def test_ctrl_c_ends_the_demo_with_the_balanced_ledger(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "homing.cli", "demo", "--listen", "127.0.0.1:0"),
        cwd=tmp_path,
        env=environment("sqlite:///homing.db"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        await read_until(process.stderr, "accepted", 60)
        process.send_signal(signal.SIGINT)
        out, _ = await asyncio.wait_for(process.communicate(), 60)
    finally:
        if process.returncode is None:
            await kill(process)
    assert process.returncode == 0
    assert out.decode().splitlines()[-1].startswith("balanced: ")
