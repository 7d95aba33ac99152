"""Who may import whom (the shape of DESIGN), and what is pure."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "homing"

#: package → packages it may import besides itself; `cli` ties the ends together
MAY_IMPORT = {
    "core": set(),
    "store": {"core"},
    "dispatch": {"core"},
    "insight": {"core"},
    "service": {"core", "insight", "review"},
    "forensics": {"core", "insight"},
    "sim": {"core", "store", "dispatch", "insight", "service"},
    "channels": {"core", "insight", "service"},
    "lab": {"core", "sim"},
    "review": {"core", "insight", "forensics"},
    "walkthrough": {"core", "review"},
    "web": {"core", "insight", "service", "review", "walkthrough"},
    "metrics": {"core", "insight"},
    "settings": {"core", "knobs"},
    "knobs": {"core"},
    "client": {"core"},
    "outbox": {"core", "client", "system"},
    "reconciliation": {"core", "client"},
    "template": {"core", "insight"},
    "system": set(),
}
EVERYTHING = {"cli"}

#: modules that never ask the world: same arguments, same answer
PURE = (
    "core",
    "insight",
    "review",
    "dispatch.envelope",
    "dispatch.breaker",
    "dispatch.egress",
    "dispatch.planner",
    "dispatch.ranges",
    "dispatch.suspects",
    "dispatch.turns",
    "service.task_rules",
    "service.redrive_rules",
    "walkthrough.assess",
    "walkthrough.claims",
    "walkthrough.record",
    "walkthrough.redaction",
)
NOT_PURE = {
    "asyncio",
    "concurrent",
    "httpx",
    "logging",
    "os",
    "pathlib",
    "random",
    "secrets",
    "select",
    "socket",
    "sqlite3",
    "subprocess",
    "tempfile",
    "threading",
    "time",
    "uuid",
}


def module_of(path: Path) -> str:
    """`dispatch.loop` for src/homing/dispatch/loop.py."""
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, anywhere in it, with its full name."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: import by the full name"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def offences(path: Path) -> Iterator[str]:
    """Imports of a file that the rules forbid, as sentences."""
    module = module_of(path)
    package = module.partition(".")[0]
    is_pure = any(module == pure or module.startswith(f"{pure}.") for pure in PURE)
    for name in imports(path):
        top, _, rest = name.partition(".")
        if top == "homing" and rest and package not in EVERYTHING | {""}:
            target = rest.partition(".")[0]
            known = target in MAY_IMPORT or target in EVERYTHING
            if known and target != package and target not in MAY_IMPORT[package]:
                yield f"{module} imports {name}: {package} may not use {target}"
        if is_pure and top in NOT_PURE:
            yield f"{module} imports {name}, which is not pure"


def circle() -> list[str]:
    """Modules that import each other in a circle, also for types alone; empty: there is none."""
    files = {f"homing.{module_of(path)}".rstrip("."): path for path in SOURCE.rglob("*.py")}
    graph = {
        module: {name if name in files else name.rpartition(".")[0] for name in imports(path)}
        for module, path in files.items()
    }
    try:
        TopologicalSorter({one: (graph[one] & files.keys()) - {one} for one in graph}).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_every_package_has_a_rule() -> None:
    packages = {module_of(path).partition(".")[0] for path in SOURCE.rglob("*.py")} - {""}
    assert packages <= MAY_IMPORT.keys() | EVERYTHING


def test_imports_go_inward() -> None:
    found = [offence for path in sorted(SOURCE.rglob("*.py")) for offence in offences(path)]
    assert not found, "\n".join(found)


def test_no_module_imports_in_a_circle() -> None:
    assert not circle()


def test_a_planted_circle_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.SOURCE", tmp_path)
    for here, there in (("a", "b"), ("b", "c"), ("c", "a"), ("outside", "a")):
        (tmp_path / f"{here}.py").write_text(f"def late() -> None:\n    import homing.{there}\n")
    assert set(circle()) == {"homing.a", "homing.b", "homing.c"}


@pytest.mark.parametrize(
    ("place", "line", "complaint"),
    [
        ("core/bad.py", "import random", "core.bad imports random, which is not pure"),
        ("core/bad.py", "from homing.store import open_store", "core may not use store"),
        ("store/bad.py", "from homing.cli import main", "store may not use cli"),
        ("dispatch/egress.py", "import os.path", "imports os.path, which is not pure"),
    ],
)
def test_a_planted_offence_is_named(
    place: str, line: str, complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{__name__}.SOURCE", tmp_path)
    bad = tmp_path / place
    bad.parent.mkdir(parents=True)
    bad.write_text(f"def hidden() -> None:\n    {line}\n")
    assert any(complaint in offence for offence in offences(bad))
