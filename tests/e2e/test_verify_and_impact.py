"""`homing verify` and `homing impact` on the logs of a small founding week."""

from __future__ import annotations

import gzip
import json
import re
from datetime import datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support.once import made_once

from homing.cli.impact import impact
from homing.cli.impact_assumptions import EXAMPLE
from homing.cli.objectives import slo
from homing.cli.verify import verify
from homing.core.errors import ConfigError
from homing.lab.explorable import FixedWorker
from homing.lab.founding import have_week
from homing.lab.incidents import write_incident
from homing.lab.service.worker import RetryWorker

pytest.importorskip("ibis", reason="needs the extra `forensics`")

# of the libraries below the analysis, about each other
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def ask(*words: str) -> Result:
    return CliRunner().invoke(verify, words)


def price(*words: str) -> Result:
    return CliRunner().invoke(impact, words)


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small founding week, with the fault and with its fix."""
    return made_once(tmp_path_factory, "verified-logs", _logs_in)


def _logs_in(folder: Path) -> None:
    payments = folder / "payments.jsonl.gz"
    have_week(RetryWorker, log=folder / "before.jsonl.gz", payments=payments, size=8_000)
    have_week(FixedWorker, log=folder / "after.jsonl.gz", size=8_000)
    (folder / "impact.toml").write_text(EXAMPLE)


def test_two_logs_are_compared_where_the_fault_lives(logs: Path) -> None:
    found = ask(str(logs / "before.jsonl.gz"), str(logs / "after.jsonl.gz"), "--json")
    document = json.loads(found.output)
    assert found.exit_code == 0, document["reasons"]
    assert document["verdict"] == "fixed"
    assert document["guilty_name"] in (
        "the response came after the lease had run out",
        "two workers held it at once",
    )
    assert document["guilty"]["before"]["k"] > 0
    assert document["guilty"]["after"] == {"n": document["guilty"]["after"]["n"], "k": 0}
    assert document["guilty"]["after"]["n"] > 5
    assert document["mix_distances"]["endpoint"] < 0.05
    # what is still on its way at a log's end is not counted, and that is said
    accepted = [
        gzip.decompress((logs / f"{name}.jsonl.gz").read_bytes()).count(b'"event":"accepted"')
        for name in ("before", "after")
    ]
    judged = [document["all"]["before"]["n"], document["all"]["after"]["n"]]
    assert [a - n for a, n in zip(accepted, judged, strict=True)] == document["too_young"]


def test_a_clean_time_that_never_had_the_trouble_is_not_called_fixed(logs: Path) -> None:
    before, after = str(logs / "before.jsonl.gz"), str(logs / "after.jsonl.gz")
    found = ask(before, after, "--since", "2026-11-15T22:00Z", "--json")
    assert found.exit_code == 1
    assert json.loads(found.output)["verdict"] == "unproven"


def test_watching_ends_at_the_bound_or_at_the_first_drop(logs: Path) -> None:
    before, after = str(logs / "before.jsonl.gz"), str(logs / "after.jsonl.gz")
    assert ask(before, after, "--watch", "--every", "0.1").exit_code == 0
    assert ask(before, before, "--watch", "--every", "0.1").exit_code == 1


def test_a_week_is_priced_by_its_payloads(logs: Path, tmp_path: Path) -> None:
    words = [str(logs / "before.jsonl.gz"), "--assumptions", str(logs / "impact.toml")]
    words += ["--payloads", str(logs / "payments.jsonl.gz")]
    ids, plot = tmp_path / "ids.tsv", tmp_path / "plot.svg"
    result = price(*words, "--json", "--ids", str(ids), "--svg", str(plot))
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    assert found["currency"] == "USD"
    assert 0 < found["p5"] < found["p50"] < found["p95"] < found["at_risk"]
    assert found["p50"] == pytest.approx(found["at_risk"] * 0.55 * 0.35 * 0.6, rel=0.1)
    dollars = [one["value"] for one in found["affected"] if one["currency"] == "USD"]
    assert found["at_risk"] == pytest.approx(sum(dollars), rel=0.01)
    assert len(ids.read_text().splitlines()) == len(found["affected"])
    assert plot.read_text().startswith("<svg")
    every = (logs / "impact.toml").read_text().replace('["payment.captured"]', "[]")
    (tmp_path / "every.toml").write_text(every)
    of_all = [*words[:1], "--assumptions", str(tmp_path / "every.toml"), *words[3:]]
    assert price(*of_all, "--ids", str(tmp_path / "all.tsv")).exit_code == 0
    text = price(*words).output
    assert f"{found['p50']:,.0f} USD a week" in text, "the same draws, the same estimate"
    assert text.splitlines()[0] == found["sentence"], "what to pass on comes first"
    told = re.search(r"about ([\d,]+) USD of margin a week", found["sentence"])
    assert told is not None, found["sentence"]
    # in two digits, as the interval is wide
    assert float(told[1].replace(",", "")) == pytest.approx(found["p50"], rel=0.05)
    assert "at risk: the whole value of" in text
    dropped = len((tmp_path / "all.tsv").read_text().splitlines())
    priced = len(found["affected"])
    assert dropped > priced, "refunds are dropped too, and are not priced"
    assert f"Not in it: {dropped - priced} of the {dropped} affected, which are not" in text
    assert "assumed" in text
    assert "Currencies are kept apart" in text or "EUR" not in text


def test_a_log_without_a_drop_has_no_price_and_says_what_its_zero_is_worth(logs: Path) -> None:
    words = [str(logs / "after.jsonl.gz"), "--assumptions", str(logs / "impact.toml")]
    told = price(*words, "--payloads", str(logs / "payments.jsonl.gz"))
    assert told.exit_code == 0, told.output
    assert re.match(
        r"nothing to price: none of 7,\d{3} deliveries was dropped; a rate", told.output
    )


def test_payloads_of_other_deliveries_are_no_loss_of_nothing(logs: Path, tmp_path: Path) -> None:
    paid = {"delivery_id": "evt_1", "event_type": "payment.captured", "data": {"amount": 1}}
    (tmp_path / "others.jsonl").write_text(json.dumps(paid) + "\n")
    words = [str(logs / "before.jsonl.gz"), "--assumptions", str(logs / "impact.toml")]
    words += ["--payloads", str(tmp_path / "others.jsonl")]
    found = price(*words)
    assert isinstance(found.exception, ConfigError)
    assert "found ids such as 'evt_1', under `delivery_id`" in str(found.exception)


def test_what_came_late_is_priced_by_the_delay_that_the_log_shows(logs: Path) -> None:
    words = [str(logs / "before.jsonl.gz"), "--assumptions", str(logs / "impact.toml")]
    words += ["--payloads", str(logs / "payments.jsonl.gz")]
    drops = json.loads(price(*words, "--json").output)
    both = json.loads(price(*words, "--late", "--json").output)
    late = {one["id"]: one["delay_s"] for one in both["affected"] if one["delay_s"] is not None}
    assert late
    assert min(late.values()) >= 300
    accepted, done = {}, {}
    with gzip.open(logs / "before.jsonl.gz", "rt") as file:
        rows = [json.loads(line) for line in file]
    for row in rows:
        at_s = datetime.fromisoformat(row["ts"]).timestamp()
        accepted.setdefault(row["delivery_id"], at_s)
        if 200 <= row.get("status", 0) < 300:
            done.setdefault(row["delivery_id"], at_s)
    delays = {key: done[key] - accepted[key] for key in done}
    # of the class that is priced: no other id is late, and each is as late as the log says
    assert all(late[key] == pytest.approx(delays[key], abs=0.01) for key in late)
    one, other = drops["by_currency"]["USD"], both["by_currency"]["USD"]
    assert (one["late"], one["late_loss"]) == (0, 0.0)
    assert (
        other["late"] == sum(1 for a in both["affected"] if a["currency"] == "USD") - one["dropped"]
    )
    assert other["late_loss"] > 0
    assert other["p50"] == pytest.approx(one["p50"] + other["late_loss"], rel=0.15)
    named = {each["name"]: each for each in other["inputs"]}
    assert named["late, from 300 s on (p)"]["basis"] == "measured"
    assert named["drop rate (p)"] == {each["name"]: each for each in one["inputs"]}["drop rate (p)"]
    text = price(*words).output
    assert f"with every input in its middle (all that was lost: {one['middle']:,.0f}; " in text
    tickets = "besides, not in it: support tickets, declared in USD alone: none for these"
    assert (text.count(tickets), text.count("USD a week for support tickets")) == (1, 1)
    assert "had their success 300 s or more after their acceptance; --late prices them" in text
    assert "by what came late" in price(*words, "--late").output


def test_a_declared_average_will_do_without_payloads(logs: Path, tmp_path: Path) -> None:
    declared = tmp_path / "impact.toml"
    paid = EXAMPLE.index("[payload]"), EXAMPLE.index("# Instead")
    text = EXAMPLE[: paid[0]] + EXAMPLE[paid[1] :]
    declared.write_text(
        text.replace("# [value]", "[value]")
        .replace("# each", "each")
        .replace("# currency =", "currency =")
    )
    result = price(str(logs / "before.jsonl.gz"), "--assumptions", str(declared), "--json")
    found = json.loads(result.output)
    assert found["by_currency"]["USD"]["inputs"][2]["basis"] == "declared"
    assert found["at_risk"] == pytest.approx(80 * len(found["affected"]), rel=0.01)


def test_a_fault_around_a_queue_is_verified_as_any_other(tmp_path: Path) -> None:
    before, after = tmp_path / "before.jsonl", tmp_path / "after.jsonl"
    write_incident("popped-and-gone", seed=4, size=4_000, form="jsonl", log=before)
    write_incident("popped-and-gone", seed=4, size=4_000, form="jsonl", log=after, is_mended=True)
    found = ask(str(before), str(after))
    assert found.exit_code == 0, found.output
    assert found.output.startswith("fixed: none of")


def test_the_installed_rules_say_when_they_would_have_fired_in_the_log(
    logs: Path, tmp_path: Path
) -> None:
    rules = str(tmp_path / "rules")
    assert CliRunner().invoke(slo, ["rules", "--defaults", "--to", rules]).exit_code == 0
    words = ["fired", str(logs / "before.jsonl.gz"), "--rules", rules]
    told = CliRunner().invoke(slo, [*words, "--target", "99.9", "--json"])
    assert told.exit_code == 0, told.output
    found = json.loads(told.output)
    # by hand: who has no success and no due time in the last line, and when that line was written
    with gzip.open(logs / "before.jsonl.gz", "rt") as file:
        rows = [json.loads(line) for line in file]
    accepted = {row["delivery_id"]: row["ts"] for row in rows if row["event"] == "accepted"}
    ended = {row["delivery_id"] for row in rows if row["event"] in ("succeeded", "dead")}
    last = {row["delivery_id"]: row for row in rows}
    lost = [key for key in accepted if key not in ended and not last[key].get("next_attempt_at")]
    first_s = min(datetime.fromisoformat(accepted[key]).timestamp() for key in lost)
    gone_s = min(datetime.fromisoformat(last[key]["ts"]).timestamp() for key in lost)
    integrity = found["alerts"][0]
    fired_s = datetime.fromisoformat(integrity["firedAt"]).timestamp()
    assert 0 < fired_s - gone_s <= 60, "the audit at the end of that minute"
    assert integrity["afterS"] == pytest.approx(fired_s - first_s, abs=0.01)
    assert found["sentence"].startswith("HomingDeliveriesUnaccounted (page) would have fired at ")
    never = [one for one in found["alerts"] if one["firedAt"] is None]
    assert "there was no dead letter" in {one["why"] for one in never}
    assert len(found["alerts"]) == 6, "the four tiers of the target, too"
    assert "would have fired" in CliRunner().invoke(slo, words).output
    # a week in which nothing is lost, and rules that are not Homing's
    fine = CliRunner().invoke(slo, ["fired", str(logs / "after.jsonl.gz")])
    assert fine.output.startswith("nothing was dropped")
    nowhere = CliRunner().invoke(slo, [*words[:2], "--rules", str(tmp_path / "nowhere")])
    assert "homing slo rules --defaults --to" in str(nowhere.exception)
    own = Path(rules) / "homing-slo-unaccounted.rules.yml"
    own.write_text(own.read_text().replace("> 0", "> 5"))
    other = CliRunner().invoke(slo, words)
    assert isinstance(other.exception, ConfigError)
    assert "expected the rules as `homing slo rules` writes them" in str(other.exception)
