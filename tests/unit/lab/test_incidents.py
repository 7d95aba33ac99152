"""Every incident drops by its fault and only by it, and its log says nothing it could not know."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from homing.core.errors import Invalid
from homing.lab.dialects import FIELD_SETS, FORMATS
from homing.lab.faults import workers
from homing.lab.incidents import BY_NAME, INCIDENTS, MECHANISMS, Truth, plan_of, write_incident
from homing.lab.service.worker import LEASE_S
from homing.lab.tour import CLOSING

SEED, SIZE = 1, 3_000


def have(name: str, folder: Path, **given: Any) -> tuple[Truth, list[dict[str, Any]]]:
    log = folder / "log.jsonl"
    given = {"seed": SEED, "size": SIZE, "fields": "service/full", "form": "jsonl", **given}
    truth = write_incident(name, log=log, truth=folder / "truth.json", **given)
    return truth, [json.loads(line) for line in log.read_text().splitlines()]


def test_there_is_one_for_each_mechanism_and_two_without() -> None:
    mechanisms = [incident.mechanism for incident in INCIDENTS]
    assert set(MECHANISMS) <= set(mechanisms)
    assert mechanisms.count(None) == 2


@pytest.mark.parametrize("name", BY_NAME)
def test_an_incident_drops_if_it_has_a_fault_and_its_log_never_says_so(
    name: str, tmp_path: Path
) -> None:
    truth, lines = have(name, tmp_path)
    assert truth.accepted == sum(line["event"] == "accepted" for line in lines)
    assert truth.accepted == pytest.approx(SIZE, rel=0.1)
    assert (truth.dropped > 0) == (truth.mechanism is not None)
    assert truth.drop_rate < 0.06
    assert not any("drop" in str(line).lower() for line in lines)
    drops = set(truth.drops)
    taken = {line["delivery_id"] for line in lines if 200 <= line.get("status", 0) < 300}
    assert not drops & taken
    written = json.loads((tmp_path / "truth.json").read_text())
    assert written["drops"] == truth.drops


@pytest.mark.parametrize("name", ["late-result", "popped-and-gone", "clean-busy"])
def test_the_same_seed_gives_the_same_file_and_another_does_not(name: str, tmp_path: Path) -> None:
    first = have(name, tmp_path, size=500)
    assert have(name, tmp_path, size=500) == first
    assert have(name, tmp_path, size=500, seed=SEED + 1) != first


@pytest.mark.parametrize("name", [i.name for i in INCIDENTS if i.may_start_late and i.mechanism])
def test_a_fault_that_came_with_a_deployment_drops_nothing_before(
    name: str, tmp_path: Path
) -> None:
    incident = BY_NAME[name]
    late = (seed for seed in range(20) if plan_of(incident, seed, SIZE).deployed_s is not None)
    truth, lines = have(name, tmp_path, seed=next(late), fields="homing/full")
    last = {
        line["message_id"].replace("msg_", "dlv_"): max(line["at_us"], line.get("ready_at_us", 0))
        for line in lines
    }
    assert truth.since_us is not None
    assert truth.drops
    assert all(last[key] >= truth.since_us for key in truth.drops)


def test_without_its_fault_the_late_result_drops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faulty = BY_NAME["late-result"]
    fixed = type(faulty)(
        **{name: getattr(faulty, name) for name in faulty.__struct_fields__}
        | {"worker": workers.Hasty}
    )
    monkeypatch.setattr("homing.lab.incidents.INCIDENTS", (fixed,))
    truth, lines = have("late-result", tmp_path)
    assert truth.dropped == 0
    assert any(line["rows_written"] == 0 for line in lines), "no result was late"


@pytest.mark.parametrize("fields", FIELD_SETS)
def test_every_field_set_has_the_delivery_the_time_and_the_status(
    fields: str, tmp_path: Path
) -> None:
    _, lines = have("late-result", tmp_path, fields=fields, size=300)
    names = {name for line in lines for name in line}
    for one in (
        {"delivery_id", "deliveryId", "job_id", "message_id"},
        {"ts", "timestamp", "time", "at_us"},
        {"status", "responseStatusCode", "http_status"},
    ):
        assert names & one
    has_leases = bool(names & {"lease_until", "leaseExpiresAt", "locked_until", "ready_at_us"})
    assert has_leases or fields.endswith("/thin")


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_has_the_same_rows(form: str, tmp_path: Path) -> None:
    log = tmp_path / f"log.{form}"
    write_incident("D2", seed=SEED, size=300, form=form, log=log)
    _, lines = have("D2", tmp_path, size=300, fields="service/usual")
    if form == "parquet":
        pq = pytest.importorskip("pyarrow.parquet")
        rows = pq.read_table(log).to_pylist()
    else:
        opener = gzip.open if form.endswith(".gz") else open
        with opener(log, "rt") as file:
            rows = list(csv.DictReader(file)) if "csv" in form else [*map(json.loads, file)]
    assert [row["delivery_id"] for row in rows] == [line["delivery_id"] for line in lines]
    assert [str(row["ts"]) for row in rows] == [line["ts"] for line in lines]


def test_unknown_names_are_refused_with_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="late-result"):
        have("nonsense", tmp_path)
    with pytest.raises(Invalid, match="service/usual"):
        have("D6", tmp_path, fields="nonsense")


@pytest.mark.parametrize("name", [i.name for i in INCIDENTS if i.mechanism])
def test_the_same_time_without_the_fault_drops_nothing(name: str, tmp_path: Path) -> None:
    before, _ = have(name, tmp_path)
    after, lines = have(name, tmp_path, is_mended=True)
    assert (after.accepted, after.dropped) == (before.accepted, 0)
    assert len(lines) > after.accepted
    # what brought the fault out is still there, or the comparison would be vacuous
    if name == "late-result":
        assert any(line.get("duration_ms", 0) > 1_000 * LEASE_S for line in lines)
    if name == "popped-and-gone":
        assert sum(line["event"] == "claimed" for line in lines) > after.accepted
    if name == "skipped-twice":
        listed = {line["delivery_id"] for line in lines if line["event"] == "enqueued"}
        assert set(before.drops) <= listed


def test_what_has_no_fault_is_not_mended(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="clean-busy has no fault; expected one of unread-retries"):
        have("clean-busy", tmp_path, is_mended=True)


def test_the_walk_says_which_of_the_others_has_its_own_fault_again() -> None:
    same = [one.name for one in INCIDENTS if one.mechanism == "D6"]
    assert same == ["late-result"]
    assert f"one with this fault again ({same[0]})" in " ".join(CLOSING.split())
