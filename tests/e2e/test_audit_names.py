"""`homing audit` on a real file, spoilt by hand: it names the invariant and the delivery."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support.processes import run

from homing.insight.promises import PROMISE_OF
from homing.sim.on_sqlite import SqliteWorld
from homing.sim.watch import at_once
from homing.store.sqlite import open_sqlite

#: what is done to the file, by the invariant that it breaks
SPOILT = {
    "row_is_its_last_line": "UPDATE history SET version = version + 1 WHERE {one_delivered}",
    "no_stale_write": "UPDATE delivery_log SET version_before = 40, version_after = 41 "
    "WHERE line = (SELECT min(line) FROM delivery_log WHERE op = 'succeeded')",
    "every_step_is_legal": "UPDATE delivery_log SET op = 'resumed' "
    "WHERE line = (SELECT min(line) FROM delivery_log WHERE op = 'succeeded' AND rows_written = 1)",
    "leases_are_numbered": "UPDATE delivery_log SET lease_epoch = 17 "
    "WHERE line = (SELECT min(line) FROM delivery_log WHERE op = 'succeeded' AND rows_written = 1)",
    "the_end_is_final": "UPDATE delivery_log SET actor = NULL WHERE line = "
    "(SELECT min(line) FROM delivery_log WHERE op = 'resent' AND from_state = 'delivered')",
    "unfinished_is_due": "UPDATE history SET ready_at_us = 1 WHERE {one_delivered}",
    "every_decision_has_its_attempt": "DELETE FROM attempts WHERE id = (SELECT attempt_id "
    "FROM delivery_log WHERE op = 'succeeded' AND rows_written = 1 ORDER BY line LIMIT 1)",
}
ONE_DELIVERED = "(message_id, endpoint_id) = " + (
    "(SELECT message_id, endpoint_id FROM history WHERE state = 'delivered' LIMIT 1)"
)


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database in which much has happened, by a simulated world."""
    for seed in range(1, 60):
        path = tmp_path_factory.mktemp("world") / "homing.db"
        store = at_once(open_sqlite(str(path), inline=True))
        assert not SqliteWorld(seed, store).run().breaches
        asyncio.run(store.close())
        with closing(sqlite3.connect(path)) as db:
            query = "SELECT 1 FROM delivery_log WHERE op = 'resent' AND from_state = 'delivered'"
            if db.execute(query).fetchone():
                return path
    raise AssertionError("nothing that was delivered was ever resent")


async def audited(path: Path, *options: str) -> tuple[int, Any]:
    url = f"sqlite:///{path}"
    code, out, err = await run(path.parent, "audit", "--json", *options, database_url=url)
    assert not err
    return code, json.loads(out)


async def test_a_database_that_nobody_spoilt_is_sound(lived: Path) -> None:
    code, report = await audited(lived)
    assert (code, report["breaches"]) == (0, [])
    assert report["lives"]["deliveries"] == report["total"]["accepted"] > 20
    _, out, _ = await run(lived.parent, "audit", database_url=f"sqlite:///{lived}")
    assert "sound: each step may follow the one before" in out


@pytest.mark.parametrize("invariant", SPOILT)
async def test_what_was_spoilt_is_named(invariant: str, lived: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(lived, tmp_path / "homing.db"))
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("PRAGMA ignore_check_constraints = ON")
        change = SPOILT[invariant].format(one_delivered=ONE_DELIVERED)
        assert db.execute(change).rowcount == 1
    code, report = await audited(path)
    assert code == 1
    found = {one["invariant"]: one for one in report["breaches"]}
    assert found[invariant]["promise"] == PROMISE_OF[invariant]
    assert found[invariant]["delivery"].startswith("msg_")
    assert (await audited(path, "--books"))[0] == 0, "the books alone do not show it"
