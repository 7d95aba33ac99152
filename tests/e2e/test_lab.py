"""The walk through the founding incident, as a process of its own."""

from __future__ import annotations

import gzip
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import pytest

from homing.cli.lab_known import told
from homing.lab.lines import count_lines
from homing.lab.tour import STEPS
from homing.review.incident import Incident
from homing.walkthrough.assess import STAGES, assess
from homing.walkthrough.claims import draft
from homing.walkthrough.lint_judged import lint_record
from homing.walkthrough.packs import shipped
from homing.walkthrough.record import Record

pytest.importorskip("ibis", reason="needs the extra `forensics`")


def lab(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "homing.cli", "lab", *words]
    return subprocess.run(
        command, cwd=folder, check=False, capture_output=True, text=True, timeout=600
    )


def played(folder: Path, *words: str) -> dict[str, Any]:
    done = lab(folder, "--play", "--json", *words)
    assert done.returncode == 0, done.stdout[-2_000:] + done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


@pytest.mark.slow
def test_a_small_week_is_found_reproduced_fixed_verified_and_priced(tmp_path: Path) -> None:
    found = played(tmp_path, "--size", "12000")
    assert found["is_fine"]
    assert found["mechanism"] == "D6"
    assert 0.0015 < found["drop_rate"] < 0.006
    assert found["verdict"] == "fixed"
    assert 0 < found["p5"] < found["p50"] < found["p95"] < found["at_risk"]
    # what the lines say, counted by hand, comes to what the investigation says
    week = tmp_path / found["folder"]
    assert count_lines(week / "deliveries.jsonl.gz").lost == found["dropped"]
    assert f"= {found['dropped']}." in told(STEPS[0].after, week)
    steps = {step["name"]: step["commands"] for step in found["steps"]}
    assert {"notice", "investigate", "reproduce", "fix", "verify", "price"} <= steps.keys()
    seen = steps["reproduce"][0]["result"]
    assert seen["reproduced"] == seen["times"]
    shown, _, held = (one["result"] for one in steps["fix"][:3])
    assert "+        await self.store.put_if(" in shown, "the fix is seen before it is applied"
    assert held["reproduced"] == 0
    # the record that the walk left is enough to tell every stage of it, with nothing missing
    record = msgspec.json.decode(
        (tmp_path / found["folder"] / "record.json").read_bytes(), type=Incident
    )
    timeline = [
        entry.text.partition(":")[0] for entry in sorted(record.timeline, key=lambda e: e.at_us)
    ]
    story = (
        "noticed; no alert fired", "opened the incident", "investigated the log",
        "reproduced it with worker_1_8_1.py", "wrote the fix", "deployed the fix",
        "compared before and after", "estimated what it costs", "adopted",
    )  # fmt: skip
    assert [text for text in timeline if text in story] == list(story)
    packs = shipped()
    for level, lens in product(packs.levels.values(), packs.principles.values()):
        made = draft(Record(record), record.owner, level, lens)
        assert {one.stage for one in made.claims} == set(STAGES)
        assert made.gaps == ()
        judged = assess(made.text(), None, level, lens, Record(record))
        assert judged.verdict is not None
        assert judged.verdict.step == "strong yes", (level.id, lens.id, judged.findings)
    # every lost delivery can be followed to its lines of the log
    command = [sys.executable, "-m", "homing.cli", "walkthrough", "rows", "--size", "100", "--json"]
    done = subprocess.run(
        command, cwd=tmp_path / found["folder"], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert rows["lost"] == len(rows["deliveries"]) == found["dropped"]
    log = gzip.decompress((tmp_path / found["folder"] / "deliveries.jsonl.gz").read_bytes())
    lines = log.decode().splitlines()
    for one in rows["deliveries"]:
        whole = [at for at, line in enumerate(lines, 1) if f'"{one["id"]}"' in line]
        assert [row["line"] for row in one["rows"]] == whole
    # a step can be had again by itself, in the folder that is there
    again = lab(tmp_path, "--step", "price", "--size", "12000")
    assert again.returncode == 0
    assert "$ homing impact deliveries.jsonl.gz" in again.stdout


@pytest.mark.slow
def test_the_default_week_drops_three_in_a_thousand_and_costs_eight_thousand_dollars(
    tmp_path: Path,
) -> None:
    found = played(tmp_path)
    assert found["accepted"] == pytest.approx(200_000, rel=0.01)
    assert found["drop_rate"] == pytest.approx(0.003, abs=0.0002)
    assert found["since"].startswith("2026-11-10T10:")
    assert found["p50"] == pytest.approx(8_000, rel=0.05)
    assert found["currency"] == "USD"
    # the story that the walkthrough tells of it has the figures that this record has
    record = msgspec.json.decode(
        (tmp_path / found["folder"] / "record.json").read_bytes(), type=Incident
    )
    story = shipped().scenarios["lost-update"]
    assert [one.text for one in lint_record(story, record)] == []


def typed(folder: Path, answers: Sequence[str], *words: str) -> tuple[int, str]:
    """The walk in a terminal, one answer at each of its prompts: how it ends, and the screen."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "homing.cli", "lab", *words]
    process = subprocess.Popen(
        command, cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True
    )
    os.close(theirs)
    screen = ""
    left = list(answers)
    at = 0
    try:
        while told := os.read(ours, 65_536):
            screen += told.decode(errors="replace")
            while (prompt := screen.find("[Enter]", at)) >= 0:
                at = prompt + 1
                os.write(ours, left.pop(0).encode() + b"\n" if left else b"\x04")
    except OSError:  # its end of the terminal is closed
        pass
    finally:
        os.close(ours)
    return process.wait(60), screen


def test_at_a_prompt_one_may_skip_a_command_stop_and_go_on_from_there(tmp_path: Path) -> None:
    code, screen = typed(tmp_path, "ssssss?q", "--size", "1000")
    assert code == 0
    assert "Enter runs the command that is shown" in screen
    assert "Enter runs the command, s skips it, q stops here" in screen
    assert "stopped in the step 'notice'" in screen
    assert not (tmp_path / "homing-lab" / "record.json").exists()
    # What follows is typed in the lab's folder, as the screen says.
    code, screen = typed(tmp_path / "homing-lab", "sq", "--from", "fix")
    assert code == 0
    assert "4 of 9" in screen
    assert "homing lab --from fix" in screen
    assert "put_if" not in (tmp_path / "homing-lab" / "worker.py").read_text().split("def save")[1]


def test_answers_may_come_through_a_pipe(tmp_path: Path) -> None:
    def piped(text: str, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "homing.cli", "lab", *words]
        return subprocess.run(
            command, cwd=tmp_path, check=False, capture_output=True, text=True, input=text
        )

    done = piped("s\nq\n", "--size", "1000")
    assert done.returncode == 0
    assert "stopped in the step 'notice'" in done.stderr
    assert not (tmp_path / "homing-lab" / "record.json").exists()
    # where nothing comes, it goes on; a step that is taken again puts its record aside
    for times in (1, 2):
        done = piped("", "--step", "notice")
        assert done.returncode == 0, done.stderr
        assert ("kept as homing-lab/record.mine.json" in done.stderr) is (times == 2)


def test_what_was_typed_ahead_stands_behind_the_prompt_that_takes_it(tmp_path: Path) -> None:
    assert typed(tmp_path, "q", "--size", "1000")[0] == 0
    code, screen = typed(tmp_path, ["?\nwhat\nq"], "--from", "fix")
    assert code == 0
    # the terminal showed both when they were typed; the prompts that take them show them again
    help_ = "Enter runs the command, s skips it, q stops here"
    shown = re.sub(r"\x1b\[[0-9;]*m|\r", "", screen)
    assert f"{help_}\n   [Enter] what\n{help_}\n   [Enter] q\n" in shown


def test_a_step_that_does_not_end_well_stops_the_walk_or_asks_what_to_do(tmp_path: Path) -> None:
    # Nothing was investigated, so nothing can be held to the schedule of it.
    done = lab(tmp_path, "--size", "1000", "--play", "--from", "reproduce")
    assert done.returncode == 1
    assert "that ended with 2, which was not expected here" in done.stderr
    assert "stopped: the step 'reproduce' did not end as it should" in done.stderr
    assert "homing lab --from reproduce" in done.stdout
    assert "Every time." not in done.stdout
    worker = tmp_path / "homing-lab" / "worker.py"
    assert "put_if" not in worker.read_text().split("def save")[1], "the patch was not applied"
    done = lab(tmp_path, "--play", "--json", "--from", "reproduce")
    document = json.loads(done.stdout)
    assert (done.returncode, document["failed"], len(document["steps"])) == (1, "reproduce", 1)
    # Who is there is asked: once more, on without it (then what there is to see is not told), stop.
    code, screen = typed(tmp_path, "  sq", "--from", "reproduce")
    assert code == 0
    assert screen.count("Enter runs it again, s goes on without it, q stops here") == 2
    assert "Every time." not in screen
    assert "stopped in the step 'fix'" in screen


def test_other_incidents_are_listed_and_written(tmp_path: Path) -> None:
    listed = json.loads(lab(tmp_path, "--list", "--json").stdout)
    assert len({one["mechanism"] for one in listed}) == 13
    done = lab(tmp_path, "D2", "--size", "1000", "--log", "log.csv", "--truth", "truth.json")
    assert done.returncode == 0, done.stderr
    truth = json.loads((tmp_path / "truth.json").read_text())
    assert truth["mechanism"] == "D2"
    assert (tmp_path / "log.csv").read_text().count("accepted") == truth["accepted"]


def test_the_week_with_the_fix_does_not_take_the_place_of_the_one_before(tmp_path: Path) -> None:
    assert lab(tmp_path, "D2", "--size", "1000").returncode == 0
    before = (tmp_path / "D2.jsonl.gz").read_bytes()
    told = lab(tmp_path, "D2", "--size", "1000", "--mended").stdout
    assert told.splitlines()[-1] == "homing verify D2.jsonl.gz D2-mended.jsonl.gz"
    assert (tmp_path / "D2.jsonl.gz").read_bytes() == before
    assert (tmp_path / "D2-mended.jsonl.gz").read_bytes() != before


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("nonsense",), "expected one of"),
        (("D1", "--log", "log.xls"), "expected a name that ends in"),
        (("--step", "nonsense"), "expected one of notice, investigate"),
        (("--again", "worker.py", "--log", "x.jsonl"), "expected it in a folder"),
        (("--folder", "."), "expected an empty folder"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(
    words: tuple[str, ...], complaint: str, tmp_path: Path
) -> None:
    (tmp_path / "worker.py").write_text("")
    done = lab(tmp_path, *words)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr
