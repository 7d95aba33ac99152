"""The reference of the API and of the metrics lists all there is, and nothing else."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import cast

from homing.core.errors import HomingError
from homing.metrics import Metrics
from homing.service.context import Service
from homing.web.app import route_table
from homing.web.not_served import PAGE, not_served
from homing.web.problems import STATUSES

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
API = (REFERENCE / "api.md").read_text()


def test_every_operation_is_in_the_reference_with_its_summary_and_no_other() -> None:
    operations = route_table(cast(Service, None))
    listed = re.findall(r"^\| `([A-Z]+ /[^`]*)` \| (.*?)(?: \(deprecated\))? \|", API, re.MULTILINE)
    assert listed == [(f"{one.method} {one.path}", one.summary) for one in operations]


def test_every_error_code_is_in_the_reference_under_its_status() -> None:
    rows = dict(re.findall(r"^\| (\d{3}) \| (.*?) \|", API, re.MULTILINE))

    def codes(kind: type[HomingError]) -> set[type[HomingError]]:
        return {kind}.union(*map(codes, kind.__subclasses__()))

    for kind, status in STATUSES.items():
        for error in codes(kind) if kind is not HomingError else ():
            own = next(STATUSES[base] for base in error.__mro__ if base in STATUSES)
            if own == status and own not in (422,) and error.__name__ != "Refused":
                assert f"`{error.code}`" in rows[str(own)], error


def test_everything_that_is_not_offered_is_in_the_reference() -> None:
    table = API.partition("## What is not offered")[2]
    first_cells = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    patterns = [pattern for cell in first_cells for pattern in re.findall(r"`(.*?)`", cell)]
    assert patterns
    paths = {one.path for one in not_served([])}
    listed = {path for path in paths for pattern in patterns if fnmatchcase(path, pattern)}
    assert sorted(paths - listed) == []
    assert PAGE == "docs/reference/api.md#what-is-not-offered"


def test_every_series_is_in_the_reference() -> None:
    text = (REFERENCE / "metrics.md").read_text()
    listed = set(re.findall(r"^\| `(homing_\w+)` \|", text, re.MULTILINE))
    assert listed == {
        family.name + ("_total" if family.type == "counter" else "")
        for family in Metrics().registry.collect()
    }
