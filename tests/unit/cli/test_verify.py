"""`homing verify` and `homing impact` by their words, exit codes and JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from homing.cli.impact import impact
from homing.cli.impact_assumptions import EXAMPLE, load_assumptions
from homing.cli.incident import incident
from homing.cli.verify import verify
from homing.cli.watching import plan_line, progress_line
from homing.core.errors import ConfigError
from homing.insight.verification import Arm, Count
from homing.insight.verification import verify as verified

pytest.importorskip("ibis", reason="needs the extra `forensics`")

# of the libraries below the analysis, about each other
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def ask(*words: str) -> Result:
    return CliRunner().invoke(verify, words)


def test_counts_alone_are_enough() -> None:
    fixed = ask("--before", "30/10,000", "--after", "0/2000")
    assert fixed.exit_code == 0
    assert fixed.output.startswith("fixed: none of 2,000 dropped, 30 of 10,000 before")
    assert "0.15% or more at 95%, 0.23% at 99%" in fixed.output
    assert "Where the fault lives is not known here" in fixed.output
    too_few = ask("--before", "30/10000", "--after", "0/1000", "--json")
    assert too_few.exit_code == 1
    assert json.loads(too_few.output)["verdict"] == "unproven"
    assert ask("--before", "30/10000", "--after", "25/10000").exit_code == 1


def test_what_was_still_on_its_way_is_told_apart_from_what_was_counted(tmp_path: Path) -> None:
    saved = tmp_path / "incident.json"
    saved.write_text(json.dumps({"accepted": 10_040, "judged": 10_000, "dropped": 30}))
    told = ask(str(saved), "--after", "0/2000").output
    assert "Not counted: 40 before, still on their way when the log ends." in told
    assert "Not counted" not in ask("--before", "30/10000", "--after", "0/2000").output


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--before", "3/x", "--after", "0/9"), "expected dropped/deliveries, as 30/10000"),
        (("--before", "9/3", "--after", "0/9"), "found '9/3'"),
        (
            ("--before", "3/9"),
            "expected AFTER: a log, a saved investigation, or --after K/N",
        ),
        ((), "expected BEFORE: a log, a saved investigation, or --before K/N"),
        (("a", "b", "c"), "c is one too many"),
        (("--before", "3/9", "--after", "0/9", "--since", "noon"), "expected a time"),
    ],
)
def test_bad_input_is_told_in_a_sentence(words: tuple[str, ...], complaint: str) -> None:
    result = ask(*words)
    assert result.exit_code == 2
    assert complaint in result.output


def test_of_two_logs_it_is_said_which_cannot_be_read(tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text('{"a": 1}\n')
    error = ask("--before", "3/900", str(bad)).exception
    assert isinstance(error, ConfigError)
    assert str(error).startswith(f"{bad}: expected a column that names a delivery")


def test_the_line_of_a_watch_says_how_long_it_will_take() -> None:
    before = Arm(all=Count(n=10_000, k=30))
    found = verified(before, Arm(all=Count(n=500, k=0)))
    line = progress_line(found, span_s=3_600)
    assert "500 of 1,478 deliveries (excludes 0.6%)" in line
    assert "about 2 hours to go" in line or "about 117 minutes" in line
    nothing = verified(before, Arm(all=Count(n=0, k=0)))
    assert "no pace yet" in progress_line(nothing, span_s=0)


def test_before_the_first_look_it_says_how_long_it_will_take_at_the_pace_of_before() -> None:
    assert "1,478 deliveries" in plan_line(1_478, 0.5)
    assert "about 49 minutes at the 1,800 an hour of before" in plan_line(1_478, 0.5)
    assert "how long that is shows with the first" in plan_line(1_478, 0.0)


def test_since_deployed_takes_the_last_fix_of_the_open_incident(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HOMING_INCIDENT", raising=False)
    counts = ("--before", "30/10000", "--after", "0/5000", "--since", "deployed")
    assert "no incident is open here" in str(ask(*counts).exception)
    run = CliRunner().invoke
    assert run(incident, ["open", "drops", "--file", "i.json"]).exit_code == 0
    assert "has no deployment of a fix" in str(ask(*counts).exception)
    assert run(incident, ["deployed", "--by", "payments"]).exit_code == 0
    assert ask(*counts).exit_code == 0


def test_a_model_of_the_fix_is_told_beside_the_count(tmp_path: Path) -> None:
    counts = ("--before", "30/10000", "--after", "0/5000")
    model = tmp_path / "model.json"
    model.write_text('{"states": 1000, "violations": [], "is_closed": true}')
    good = ask(*counts, "--model", str(model))
    assert good.exit_code == 0
    assert "1,000 states, every order within its bounds: no loss" in good.output
    model.write_text('{"runs": 7200, "found": true}')
    bad = ask(*counts, "--model", str(model))
    assert bad.exit_code == 1
    assert "7,200 schedules" in bad.output


def price(*words: str) -> Result:
    return CliRunner().invoke(impact, words)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("share = 0.55", "share = 55"), "margin.share: expected one number from 0 to 1"),
        (("[0.20, 0.40, 0.60]", "[0.6, 0.4, 0.2]"), "recovery.share"),
        (('after = "never"', 'after = "forever"'), "expected 30s, 5m, 2h, 1d or never"),
        (('after = "0s"', 'after = "1s"'), 'expected steps from "0s" on'),
        (("[margin]", "[magin]"), "magin"),
        (('currency = "data.currency"', ""), "expected one of currency and currency_code"),
    ],
)
def test_assumptions_that_make_no_sense_are_named(
    change: tuple[str, str], complaint: str, tmp_path: Path
) -> None:
    path = tmp_path / "impact.toml"
    assert change[0] in EXAMPLE
    path.write_text(EXAMPLE.replace(*change, 1))
    with pytest.raises(ConfigError) as caught:
        load_assumptions(path)
    assert any(complaint in one for one in caught.value.problems), caught.value.problems


def test_the_example_is_a_file_of_assumptions(tmp_path: Path) -> None:
    path = tmp_path / "impact.toml"
    path.write_text(price("--example").output)
    declared: Any = load_assumptions(path)
    assert declared.payload.event_types == ["payment.captured"]
    assert [step.after_s for step in declared.assumptions.steps] == [0, 300, 1_800, None]
