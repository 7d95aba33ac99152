"""YAML with the line of everything, and numbers as they were written: no float is ever made."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final, NamedTuple

import yaml

#: more than any file of objectives has; aliases that multiply are stopped by it
_NODES_MAX: Final = 50_000
_BYTES_MAX: Final = 2_000_000
_DEPTH_MAX: Final = 40
_NUMBER: Final = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")


class Problem(NamedTuple):
    """What is wrong, and where: file, line from 1, path within the document."""

    file: str
    line: int
    path: str
    text: str

    def __str__(self) -> str:
        path = f"{self.path}: " if self.path else ""
        return f"{self.file}:{self.line}: {path}{self.text}"


class Unreadable(Exception):
    """The text is no YAML, or none that is safe to read."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


class Node(NamedTuple):
    """A value of the document, and the line it begins in.

    `value` is a dict of names to nodes, a list of nodes, or a scalar: str, bool, Decimal, None.
    """

    value: Any
    line: int


class Source(NamedTuple):
    """One document of a file."""

    file: str
    root: Node


def read_yaml(text: str, file: str) -> list[Source]:
    """The documents of a file, in order; empty ones are left out.

    Raises:
        Unreadable: no YAML, a name given twice, too large or too deep.
    """
    if len(text) > _BYTES_MAX:
        raise Unreadable(Problem(file, 1, "", f"expected at most {_BYTES_MAX:,} characters"))
    found = []
    reader = _Reader(file)
    loader = None
    try:
        loader = yaml.SafeLoader(text)
        while loader.check_node():
            node = reader.read(loader.get_node(), 0)
            if node.value is not None:
                found.append(Source(file, node))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark is not None else 1
        reason = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise Unreadable(Problem(file, line, "", f"expected YAML: {reason}")) from error
    except RecursionError as error:
        raise Unreadable(Problem(file, 1, "", "nested too deep to be read")) from error
    finally:
        if loader is not None:
            loader.dispose()
    return found


class _Reader:
    def __init__(self, file: str) -> None:
        self._file = file
        self._left = _NODES_MAX

    def read(self, node: yaml.Node, depth: int) -> Node:
        self._left -= 1
        line = node.start_mark.line + 1
        if self._left < 0 or depth > _DEPTH_MAX:
            what = "nested too deep" if depth > _DEPTH_MAX else "too many values"
            raise Unreadable(Problem(self._file, line, "", f"{what} to be read"))
        if isinstance(node, yaml.MappingNode):
            return Node(dict(self._pairs(node, depth)), line)
        if isinstance(node, yaml.SequenceNode):
            return Node([self.read(one, depth + 1) for one in node.value], line)
        return Node(_scalar(node), line)

    def _pairs(self, node: yaml.MappingNode, depth: int) -> Iterator[tuple[str, Node]]:
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise Unreadable(Problem(self._file, line, "", "expected names that are texts"))
            if key.value in seen:
                text = f"{key.value!r} is given twice, first in line {seen[key.value]}"
                raise Unreadable(Problem(self._file, line, "", text))
            seen[key.value] = line
            yield key.value, self.read(value, depth + 1)


def _scalar(node: yaml.ScalarNode) -> str | bool | Decimal | None:
    """By the tag that YAML's core rules give it; of numbers the digits, not a binary fraction."""
    kind = node.tag.rpartition(":")[2]
    text: str = node.value
    if kind == "null":
        return None
    if kind == "bool" and text.lower() in ("true", "false"):
        return text.lower() == "true"  # yes, no, on and off are texts, as in YAML 1.2
    if kind in ("int", "float") and _NUMBER.fullmatch(text):
        return Decimal(text)
    return text


# --- Writing ---


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]
    """Two blanks for each level, lists indented, numbers digit for digit."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> Any:
        return super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _decimal(dumper: yaml.SafeDumper, number: Decimal) -> yaml.Node:
    text = format(number, "f")
    kind = "float" if "." in text else "int"
    return dumper.represent_scalar(f"tag:yaml.org,2002:{kind}", text)


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(Decimal, _decimal)
_Dumper.add_representer(str, _text)


def write_yaml(documents: list[dict[str, Any]]) -> str:
    """Documents one after another, names in the order given."""
    text: str = yaml.dump_all(
        documents,
        Dumper=_Dumper,
        sort_keys=False,
        default_flow_style=False,
        allow_unicode=True,
        width=100,
        explicit_start=len(documents) > 1,
    )
    return text


def plain(node: Node) -> Any:
    """The value without its lines: dicts, lists, texts, Decimals."""
    value = node.value
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return value
