"""The lab's folder: taken up as it is, made whole again, and no work of a user is lost."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from importlib import resources
from pathlib import Path

import pytest
from click.testing import CliRunner

from homing.cli import lab_walk
from homing.cli.lab import lab
from homing.cli.lab_folder import build, folder_here, made_with, patched, reset
from homing.cli.main import COMMANDS
from homing.core.errors import ConfigError
from homing.lab.tour import steps_for

SIZE = 1_000
WORKER, PATCH = (
    resources.files("homing.lab.service").joinpath(name).read_text()
    for name in ("worker.py", "fix.patch")
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built") / "lab"
    build(folder, 7, SIZE)
    return folder


@pytest.fixture
def folder(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "lab"))


def test_a_folder_that_is_whole_is_left_as_it_is_with_the_seed_it_was_made_with(
    folder: Path,
) -> None:
    log = folder / "deliveries.jsonl.gz"
    before = log.stat().st_mtime_ns
    made = build(folder, None, None)
    assert (made.seed, made.size) == (7, SIZE)
    assert log.stat().st_mtime_ns == before


@pytest.mark.parametrize("harm", ["interrupted", "half", "deleted"])
def test_what_is_missing_is_made_again_the_same(harm: str, folder: Path) -> None:
    log = folder / "deliveries.jsonl.gz"
    whole = log.read_bytes()
    if harm == "interrupted":
        (folder / "lab.json").write_text('{"se')
    elif harm == "half":
        log.write_bytes(whole[: len(whole) // 2])
    else:
        log.unlink()
    made = build(folder, 7, SIZE)
    assert log.read_bytes() == whole
    assert made_with(folder) == made


def test_a_folder_of_something_else_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ConfigError, match="expected an empty folder"):
        build(tmp_path, None, SIZE)
    assert [one.name for one in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_fix_that_the_user_wrote_is_kept_when_the_walk_begins_again(folder: Path) -> None:
    for text, kept in ((WORKER, False), (patched(WORKER, PATCH), False), ("mine\n", True)):
        (folder / "worker.py").write_text(text)
        reset(folder)
        assert (folder / "worker.py").read_text() == WORKER
        assert (folder / "worker.mine.py").exists() is kept
    assert (folder / "worker.mine.py").read_text() == "mine\n"


def test_a_record_is_kept_when_the_walk_begins_again_and_so_is_the_one_after_it(
    folder: Path,
) -> None:
    for text, name in (("one", "record.mine.json"), ("two", "record.mine-2.json")):
        (folder / "record.json").write_text(text)
        reset(folder)
        assert not (folder / "record.json").exists()
        assert (folder / name).read_text() == text


def test_the_worker_as_it_was_found_stays_beside_the_one_that_is_mended(folder: Path) -> None:
    (folder / "worker.py").write_text("mine\n")
    assert (folder / "worker_1_8_1.py").read_text() == WORKER
    (folder / "worker_1_8_1.py").unlink()  # as in a folder of an earlier version
    build(folder, None, None)
    assert (folder / "worker_1_8_1.py").read_text() == WORKER


@pytest.mark.skipif(shutil.which("patch") is None, reason="needs the program `patch`")
def test_the_patch_is_what_the_program_patch_makes_of_it(folder: Path) -> None:
    reset(folder)
    for times in (1, 2):
        command = ["patch", "-N", "worker.py", "fix.patch"]
        done = subprocess.run(command, cwd=folder, check=False, capture_output=True)
        assert done.returncode == times - 1
        assert (folder / "worker.py").read_text() == patched(WORKER, PATCH)


def test_inside_a_lab_it_is_the_one_that_is_meant(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    assert folder_here(None) == Path("homing-lab")
    monkeypatch.chdir(folder)
    assert folder_here(None) == Path()
    assert folder_here(Path("other")) == Path("other")


def test_what_is_missing_for_the_walk_is_said_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None if name == "duckdb" else found(name)
    )
    monkeypatch.chdir(tmp_path)
    complaint = r"`homing lab` needs more packages \(duckdb\): `pip install 'homing.*`.*`make lab`"
    with pytest.raises(ConfigError, match=complaint):
        CliRunner().invoke(lab, ["--play"], catch_exceptions=False)
    assert list(tmp_path.iterdir()) == []


def test_a_worker_that_still_loses_is_told_apart_from_a_command_that_failed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = {one.name: one for one in steps_for(COMMANDS)}
    held = [one for one in steps["fix"].commands if one.needs == "reproduce"]
    manner = lab_walk.Manner(is_waiting=False, is_piped=False)
    for command in held:
        for code, told in ((1, "worker.py still loses a delivery: apply"), (2, "ended with 2,")):
            monkeypatch.setattr(lab_walk, "_run", lambda *_, code=code: code)
            assert not lab_walk._say_command(command, folder, manner)
            assert told in capsys.readouterr().err
    assert len(held) == 2
