"""Sizes: a report of what is long, and a bound at which somebody must think again."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]

#: (worth a look above, must be reconsidered above), in lines
FILE_LINES = (400, 600)
FUNCTION_LINES = (40, 75)
#: a subject each for delivering, limits, retention, tasks, operational webhooks, objectives,
#: issues, money, searching, how endpoints are
CORE_LINES_MAX = 4_300

_FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef


def _length(node: ast.AST) -> int:
    """Lines of a function without its docstring, which is free, and functions inside it."""
    assert isinstance(node, _FUNCTION)
    doc = node.body[0] if ast.get_docstring(node) else None
    documented = (doc.end_lineno or 0) - doc.lineno + 1 if doc else 0
    inner = sum(_length(n) for n in node.body if isinstance(n, _FUNCTION))
    return (node.end_lineno or 0) - node.lineno + 1 - documented - inner


def _longest() -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
    files, functions = [], []
    for path in sorted((ROOT / "src").rglob("*.py")):
        text = path.read_text()
        name = str(path.relative_to(ROOT))
        files.append((text.count("\n"), name))
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, _FUNCTION):
                functions.append((_length(node), f"{name}:{node.lineno} {node.name}"))
    return sorted(files, reverse=True), sorted(functions, reverse=True)


def test_nothing_is_longer_than_a_person_can_hold_in_mind() -> None:
    files, functions = _longest()
    for kind, found, (look, bound) in (
        ("files", files, FILE_LINES),
        ("functions", functions, FUNCTION_LINES),
    ):
        print(f"\n{kind} above {look} lines, ask why:")
        for lines, name in found:
            if lines > look:
                print(f"{lines:5} {name}")
        assert found[0][0] <= bound, f"{found[0][1]} has {found[0][0]} lines, the bound is {bound}"


def test_the_core_stays_small() -> None:
    lines = sum(p.read_text().count("\n") for p in (ROOT / "src/homing/core").glob("*.py"))
    assert lines <= CORE_LINES_MAX
