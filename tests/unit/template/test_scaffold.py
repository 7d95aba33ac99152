"""What a project is written from, and what an update does to it."""

from __future__ import annotations

import ast
from pathlib import Path

import msgspec
import pytest

from homing.core.errors import ConfigError
from homing.template import scaffold
from homing.template.scaffold import NOTE, Change, decide, digest, generate, update

OLD, NEW, OWN = b"old", b"new", b"own"


@pytest.mark.parametrize(
    ("there", "given", "last", "change"),
    [
        (OLD, OLD, digest(OLD), Change.SAME),
        (OLD, NEW, digest(OLD), Change.WRITTEN),  # only the template changed it
        (OWN, OLD, digest(OLD), Change.KEPT),  # only the project did
        (OWN, NEW, digest(OLD), Change.CONFLICT),
        (None, NEW, digest(OLD), Change.KEPT),  # removed on purpose
        (None, NEW, None, Change.WRITTEN),  # new in the template
        (OWN, NEW, None, Change.CONFLICT),
        (NEW, NEW, digest(OLD), Change.SAME),  # both changed it to the same
    ],
)
def test_an_update_changes_only_what_the_project_did_not(
    there: bytes | None, given: bytes, last: str | None, change: Change
) -> None:
    assert decide(there, given, last) is change


@pytest.mark.parametrize("framework", scaffold.FRAMEWORKS)
def test_a_project_is_whole_and_names_nobody_s_machine(framework: str, tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    files = generate(folder, "shop", framework)
    assert {"README.md", "Makefile", "RUNBOOK.md", "local.py", "sender/__init__.py"} <= set(files)
    assert {"ops/objectives.yaml", "ops/rules/homing-slo-dead-letters.rules.yml"} <= set(files)
    for path in files:
        text = (folder / path).read_text()
        assert str(tmp_path) not in text
        if path.endswith(".py"):
            ast.parse(text)
        if not path.startswith("ops"):
            assert "{%" not in text, path
            assert not path.endswith(".jinja")


def test_an_update_brings_what_is_new_and_keeps_what_is_yours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "shop"
    generate(folder, "shop", "fastapi")
    assert set(update(folder).values()) == {Change.SAME}
    (folder / "README.md").write_text("mine")
    (folder / "RUNBOOK.md").write_text("mine")
    (folder / "Makefile").unlink()
    rendered = scaffold.render("shop", "fastapi")
    later = rendered | {"RUNBOOK.md": b"theirs", "local.py": b"theirs", "more.md": b"theirs"}
    monkeypatch.setattr(scaffold, "render", lambda name, framework: later)
    done = update(folder)
    assert {path: change for path, change in done.items() if change is not Change.SAME} == {
        "README.md": Change.KEPT,
        "RUNBOOK.md": Change.CONFLICT,
        "Makefile": Change.KEPT,
        "local.py": Change.WRITTEN,
        "more.md": Change.WRITTEN,
    }
    assert (folder / "RUNBOOK.md").read_text() == "mine"
    assert (folder / "RUNBOOK.md.new").read_text() == "theirs"
    assert (folder / "local.py").read_text() == "theirs"
    assert msgspec.json.decode((folder / NOTE).read_bytes())["name"] == "shop"


@pytest.mark.parametrize("name", ["", "Shop", "a b", "1a", "a" * 64, "../a"])
def test_a_name_that_cannot_be_one_is_said_to_be_none(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="NAME: expected"):
        generate(tmp_path / "x", name, "fastapi")


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("")
    with pytest.raises(ConfigError, match="empty folder"):
        generate(tmp_path, "shop", "fastapi")


def test_an_update_of_what_is_no_project_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=NOTE):
        update(tmp_path)
    (tmp_path / NOTE).write_text("{")
    with pytest.raises(ConfigError, match="cannot be read"):
        update(tmp_path)
