"""Generated Prometheus rules: digits, counts over counts, and promtool's own word on both."""

from __future__ import annotations

import re
import shutil
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from homing.core.objectives import Objective, Owner, Sli
from homing.insight.objectives import default_objectives
from homing.insight.rules.prometheus import RuleFile, alerts_of, rule_files, rules_of
from homing.insight.rules.unit_tests import unit_test_files
from homing.metrics import Metrics


def make_objective(target: str = "0.999", **fields: Any) -> Objective:
    usual: dict[str, Any] = {
        "scope": "o",
        "id": "shop",
        "created_at_us": 0,
        "updated_at_us": 0,
        "sli": Sli.DELIVERED,
        "target": target,
    }
    return Objective(**(usual | fields))


def expressions(objective: Objective) -> list[str]:
    return [rule["expr"] for rule in rules_of(objective)["groups"][0]["rules"]]


@pytest.mark.parametrize(
    ("target", "period", "thresholds"),
    [
        ("0.999", "30d", ["0.0144", "0.006", "0.003", "0.001"]),
        ("0.9990", "30d", ["0.0144", "0.006", "0.003", "0.001"]),
        ("0.9995", "30d", ["0.0072", "0.003", "0.0015", "0.0005"]),
        ("0.999", "28d", ["0.01344", "0.0056", "0.0028", "(14 / 15 * 0.001)"]),
        ("0.999", "7d", ["0.01344", "0.0035", "0.0014", "0.00098"]),
        ("0.99999", "30d", ["0.000144", "0.00006", "0.00003", "0.00001"]),
        # of 90%, 14.4 times the budget would be more than everything
        ("0.9", "30d", ["0.6", "0.3", "0.1"]),
    ],
)
def test_thresholds_are_written_digit_for_digit(
    target: str, period: str, thresholds: list[str]
) -> None:
    burns = [one for one in expressions(make_objective(target, period=period)) if "\nand\n" in one]
    assert [re.search(r"> (\S+|\(.*?\)) \* homing", one)[1] for one in burns] == thresholds  # type: ignore[index]


def test_no_number_of_any_file_shows_binary_noise() -> None:
    objectives = [
        make_objective(f"0.{nines}", id=f"o{nines}", period=period)
        for nines in ("9", "99", "995", "999", "9995", "9999", "99999")
        for period in ("30d", "28d", "7d", "month", "quarter")
    ]
    for objective in objectives:
        for file in rule_files([objective]):
            for number in re.findall(r"(?<![\w.])\d+\.\d+", file.text):
                digits = number.partition(".")[2]
                assert not re.search(r"0{6}[1-9]+$|9{7}", digits), (file.name, number)
                assert Decimal(number) == Decimal(number.rstrip("0"))


def test_every_series_that_rules_read_is_in_the_metrics_from_the_start() -> None:
    shown = Metrics().text().decode()
    for objective in default_objectives("o"):
        for expression in expressions(objective):
            for name, labels in re.findall(r"\b(homing_[a-z_]+)\b(?:\{([^}]*)\})?", expression):
                if name.startswith("homing_slo"):
                    continue
                assert re.search(rf"^{name}[ {{]", shown, re.M), name
                sli = re.search(r'sli="(\w+)"', labels)
                if sli:
                    assert re.search(rf'^{name}\{{.*sli="{sli[1]}".*\}} 0\.0$', shown, re.M), labels
    for owner in Owner:
        assert f'homing_sli_bad_total{{owner="{owner}",sli="delivered"}} 0.0' in shown


def test_ratios_are_of_events_and_nothing_is_averaged() -> None:
    for objective in default_objectives("o"):
        for expression in expressions(objective):
            assert "avg" not in expression
            assert "_over_time" not in expression


def test_an_application_alone_has_no_series_and_so_no_rules() -> None:
    assert rule_files([make_objective(app_id="app_1")]) == []
    assert unit_test_files([make_objective(app_id="app_1")]) == []


@pytest.fixture
def promtool(request: pytest.FixtureRequest) -> str:
    found = shutil.which("promtool")
    if found is None:
        request.getfixturevalue("missing")("prometheus", "promtool is not on PATH")
    assert found is not None
    return found


def write(folder: Path, files: list[RuleFile]) -> list[str]:
    for file in files:
        (folder / file.name).write_text(file.text)
    return [file.name for file in files]


def run(folder: Path, *command: str) -> tuple[int, str]:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout + done.stderr


MANY = [
    *default_objectives("o"),
    make_objective("0.9999", id="strict", team="payments"),
    make_objective("0.999", id="four-weeks", period="28d"),
    make_objective("0.995", id="week", period="7d", owners=(Owner.RECEIVER,)),
    make_objective("0.999", id="by-month", period="month Europe/Berlin"),
    make_objective("0.9", id="low", events_min=0, bad_min=0),
]
#: which of them promtool also runs the unit tests of: one of each kind, to keep it quick
TRIED = ("unaccounted", "delivered", "four-weeks", "low")


def test_promtool_accepts_every_file(promtool: str, tmp_path: Path) -> None:
    names = write(tmp_path, rule_files(MANY))
    code, said = run(tmp_path, promtool, "check", "rules", *names)
    assert code == 0, said
    assert said.count("SUCCESS") == len(MANY)


def test_promtool_sees_each_alert_fire_and_not_fire(promtool: str, tmp_path: Path) -> None:
    tried = [one for one in MANY if one.id in TRIED]
    write(tmp_path, rule_files(tried))
    names = write(tmp_path, unit_test_files(tried))
    alerts = sum(len(alerts_of(one)) for one in tried)
    assert len(names) == alerts + 1  # and one file for the integrity objective
    code, said = run(tmp_path, promtool, "test", "rules", *names)
    assert code == 0, said
    assert said.count("SUCCESS") == len(names)


@pytest.mark.parametrize(
    ("planted", "instead"),
    [
        ("> 0.0144 *", "> 0.6 *"),  # too slow to notice
        ("> 0.0144 *", "> 0.001 *"),  # wakes people for nothing
        ("increase5m{slo", "increase1h{slo"),  # without the short window it goes on and on
        (">= 50", ">= 1"),  # one failure of a few
        ('owner=~"platform|unattributed"', 'owner="receiver"'),  # looks at others' faults
    ],
)
def test_the_unit_tests_catch_a_rule_that_was_made_wrong(
    promtool: str, tmp_path: Path, planted: str, instead: str
) -> None:
    objective = make_objective()
    [rules] = rule_files([objective])
    assert planted in rules.text
    wrong = rules.text.replace(planted, instead)
    assert yaml.safe_load(wrong)
    write(tmp_path, [rules._replace(text=wrong)])
    names = write(tmp_path, unit_test_files([objective]))
    page = next(name for name in names if ".page-1h." in name)
    code, said = run(tmp_path, promtool, "test", "rules", page)
    assert code != 0, said
