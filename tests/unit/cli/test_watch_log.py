"""A watch of a file that grows, is rotated and is cut under its hands."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from homing.cli import watching
from homing.cli.watching import Asked, watch_log
from homing.core.errors import ConfigError, HomingError
from homing.insight.verification import Arm, Count, Verdict, Verification, verify

pytest.importorskip("ibis", reason="needs the extra `forensics`")

BEFORE = Arm(all=Count(n=600, k=30))  # 5%: 87 deliveries without a drop exclude its low end


def lines(first: int, count: int) -> str:
    """A foreign log: deliveries that are accepted and delivered within a second."""
    rows = []
    for n in range(first, first + count):
        at = f"2026-11-20T10:{n // 60 % 60:02}:{n % 60:02}"
        rows.append(f'{{"ts":"{at}.000Z","delivery_id":"d{n}","event":"accepted"}}\n')
        rows.append(f'{{"ts":"{at}.500Z","delivery_id":"d{n}","event":"succeeded","status":200}}\n')
    return "".join(rows)


def watched(
    monkeypatch: pytest.MonkeyPatch, log: str, *between: Callable[[], object]
) -> tuple[Verification, list[str]]:
    """Watch a log; between two looks one thing after the other happens to it."""
    left = list(between)
    # of this module alone: other threads of the process sleep too
    clock = SimpleNamespace(sleep=lambda _: left.pop(0)(), monotonic=time.monotonic, time=time.time)
    monkeypatch.setattr(watching, "time", clock)
    said: list[str] = []
    found = watch_log(Asked(log=log), BEFORE, lambda arm: verify(BEFORE, arm), say=said.append)
    assert not left
    return found, said


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "app.jsonl"


def append(log: Path, text: str) -> Callable[[], object]:
    def write() -> None:
        with log.open("a") as file:
            file.write(text)

    return write


def test_it_grows_from_nothing_and_half_a_line_is_no_harm(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.touch()
    text = lines(0, 100)
    parts = (text[:4_000], text[4_000:7_777], text[7_777:])
    found, said = watched(monkeypatch, str(log), *(append(log, part) for part in parts))
    assert found.verdict is Verdict.FIXED
    assert found.all.after.n == 100
    assert "it takes 87 deliveries without a drop" in said[0]
    assert "nothing is in it; looking again" in said[1]
    assert "of 87 deliveries" in said[2]
    assert "to go" in said[3]


@pytest.mark.slow
def test_a_rotation_is_told_and_a_glob_counts_all_parts(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rotate() -> None:
        log.rename(f"{log}.1")

    def grow() -> None:
        log.write_text(lines(60, 20))

    log.write_text(lines(0, 60))
    more = append(log, lines(80, 90))
    found, said = watched(monkeypatch, str(log), rotate, grow, more)
    assert "it cannot be read now" in said[2]
    assert "20 deliveries, and 60 at the last look: it was rotated or cut" in said[3]
    assert f"'{log}*'" in said[3]
    assert found.all.after.n == 110, "what is counted is what can be read"
    os.remove(log)
    found, said = watched(monkeypatch, f"{log}*", grow, more)
    assert found.all.after.n == 170
    assert not any("rotated" in line for line in said)


def test_a_log_that_was_cut_is_told_too(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log.write_text(lines(0, 60))
    cut, more = (lambda: os.truncate(log, 4_000)), append(log, "\n" + lines(100, 100))
    found, said = watched(monkeypatch, str(log), cut, more)
    assert "rotated or cut" in said[2]
    assert found.verdict is Verdict.FIXED


def test_a_log_that_is_not_there_or_cannot_be_read_again_ends_it_at_once(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(HomingError):
        watched(monkeypatch, str(log))
    with pytest.raises(ConfigError, match="standard input cannot"):
        watched(monkeypatch, "-")
