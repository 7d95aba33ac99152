"""Several files of OpenSLO read as one: each document checked, and every reference resolved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from homing.insight.openslo.document import (
    Node,
    Problem,
    Source,
    Unreadable,
    plain,
    read_yaml,
    write_yaml,
)
from homing.insight.openslo.schema import check, threshold_rules
from homing.insight.openslo.shape import Place


class Document(NamedTuple):
    """One document that is as it must be."""

    file: str
    line: int
    kind: str
    name: str
    root: Node

    @property
    def spec(self) -> Node:
        spec: Node = self.root.value["spec"]
        return spec

    @property
    def data(self) -> dict[str, Any]:
        """Without lines."""
        data: dict[str, Any] = plain(self.root)
        return data


class Bundle(NamedTuple):
    """What was read. With problems, `documents` has those that have none."""

    documents: list[Document]
    problems: list[Problem]

    def find(self, kind: str, name: str) -> Document | None:
        return next((d for d in self.documents if (d.kind, d.name) == (kind, name)), None)

    def of(self, kind: str) -> list[Document]:
        return [one for one in self.documents if one.kind == kind]


def read_bundle(files: Sequence[tuple[str, str]]) -> Bundle:
    """Read files, each as (name, text).

    Returns:
        Everything that is wrong in any of them, in order of file and line. References must lead to
        a document of these files.
    """
    problems: list[Problem] = []
    documents: list[Document] = []
    for file, text in files:
        try:
            sources = read_yaml(text, file)
        except Unreadable as error:
            problems.append(error.problem)
            continue
        for source in sources:
            wrong = list(check(source))
            problems += wrong
            if not wrong:
                documents.append(_document(source))
    bundle = Bundle(documents, problems)
    if not problems:  # what is broken would lead to complaints about what it refers to
        problems += [*_twice(documents), *_dangling(bundle), *_elsewhere(bundle)]
    order = {file: place for place, (file, _) in enumerate(files)}
    problems.sort(key=lambda one: (order[one.file], one.line))
    return bundle


def write_bundle(documents: Sequence[dict[str, Any]]) -> str:
    """Documents as one file."""
    return write_yaml(list(documents))


def _document(source: Source) -> Document:
    root = source.root
    name = root.value["metadata"].value["name"].value
    return Document(source.file, root.line, root.value["kind"].value, name, root)


def _twice(documents: Sequence[Document]) -> Iterator[Problem]:
    seen: dict[tuple[str, str], Document] = {}
    for one in documents:
        first = seen.setdefault((one.kind, one.name), one)
        if first is not one:
            text = f"{one.kind} {one.name!r} is there already: {first.file}:{first.line}"
            yield Problem(one.file, one.line, "metadata.name", text)


#: name of a reference → kind of what it leads to
_REFS: Final = {
    "indicatorRef": "SLI",
    "conditionRef": "AlertCondition",
    "targetRef": "AlertNotificationTarget",
    "alertPolicyRef": "AlertPolicy",
    "metricSourceRef": "DataSource",
}


def _dangling(bundle: Bundle) -> Iterator[Problem]:
    known = {(one.kind, one.name) for one in bundle.documents}
    for document in bundle.documents:
        for kind, node, place in _refs(document):
            if (kind, node.value) not in known:
                yield place.problem(node, f"there is no {kind} {node.value!r} in these files")


def _refs(document: Document) -> Iterator[tuple[str, Node, Place]]:
    place = Place(document.file, "spec")
    if document.kind == "SLO":
        spec = document.spec.value
        yield "Service", spec["service"], place.at("service")
        policies = spec.get("alertPolicies")
        for index, one in enumerate(policies.value if policies else ()):
            if isinstance(one.value, str):
                yield "AlertPolicy", one, place.at("alertPolicies").at(index)
    yield from _refs_below(document.spec, place)


def _refs_below(node: Node, place: Place) -> Iterator[tuple[str, Node, Place]]:
    if isinstance(node.value, dict):
        for name, value in node.value.items():
            if name in _REFS and isinstance(value.value, str):
                yield _REFS[name], value, place.at(name)
            else:
                yield from _refs_below(value, place.at(name))
    elif isinstance(node.value, list):
        for index, value in enumerate(node.value):
            yield from _refs_below(value, place.at(index))


def _elsewhere(bundle: Bundle) -> Iterator[Problem]:
    """Rules about an SLO and the indicator that it refers to."""
    for document in bundle.of("SLO"):
        ref = document.spec.value.get("indicatorRef")
        indicator = bundle.find("SLI", ref.value) if ref else None
        if indicator is not None:
            is_threshold = "thresholdMetric" in indicator.spec.value
            yield from threshold_rules(document.root, is_threshold, document.file)
