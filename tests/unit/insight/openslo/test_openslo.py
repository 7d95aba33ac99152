"""OpenSLO v1: our fixtures, one mistake at a time with its line, and round trips."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homing.core.objectives import Limits, Objective, Owner, Sli
from homing.insight.objectives import default_objectives, mistakes_of
from homing.insight.openslo.bundle import read_bundle, write_bundle
from homing.insight.openslo.document import Unreadable, read_yaml
from homing.insight.openslo.mapping import PREFIX, documents_of, objectives_of
from homing.insight.openslo.schema import SPECS

HERE = Path(__file__).parent
EVERYTHING = (HERE / "valid/everything.yaml").read_text()
OURS = (HERE / "valid/ours.yaml").read_text()


def problems_of(text: str) -> list[str]:
    return [str(one) for one in read_bundle([("f.yaml", text)]).problems]


@pytest.mark.parametrize("path", sorted(HERE.glob("valid/*.yaml")), ids=lambda path: path.stem)
def test_a_valid_file_is_read_whole_and_survives_being_written(path: Path) -> None:
    read = read_bundle([(path.name, path.read_text())])
    assert read.problems == []
    again = read_bundle([("again", write_bundle([one.data for one in read.documents]))])
    assert again.problems == []
    assert [one.data for one in again.documents] == [one.data for one in read.documents]


def test_the_fixture_has_every_kind() -> None:
    assert {one.kind for one in read_bundle([("f", EVERYTHING)]).documents} == set(SPECS)


def test_numbers_stay_as_they_were_written() -> None:
    [slo] = [
        one for one in read_bundle([("f", EVERYTHING)]).documents if one.name == "answered-in-time"
    ]
    strict, lenient = slo.data["spec"]["objectives"]
    assert strict["target"] == Decimal("0.999")
    assert lenient["targetPercent"] == Decimal("99.5")
    assert "target: 0.999\n" in write_bundle([slo.data])


#: (what is replaced in the valid file, by what, what is said of it)
MISTAKES: list[tuple[str, str, str]] = [
    ("target: 0.999}", "target: 1}", "expected a number from 0 and below 1, found 1"),
    ("targetPercent: 99.5", "targetPercent: 100", "expected a number from 0 and below 100"),
    ("target: 0.999}", 'target: "0.999"}', "expected a number, found '0.999'"),
    ("target: 0.999}", "target: 0.999, targetPercent: 99.9}", "exactly one of target, targetPer"),
    ("target: 0.999}", "target: 0.999, op: lte}", "expected no op with a ratioMetric"),
    ("target: 0.999}", "target: 0.999, timeSliceWindow: 1m}", "no timeSliceWindow with budgeting"),
    ("target: 0.999}", "target: 0.999, compositeWeight: 2}", "compositeWeight only where"),
    ("op: lte, value: 0, target", "target", "expected 'op', which is missing"),
    ("timeSliceTarget: 1, timeSliceWindow: 1m", "timeSliceWindow: 1m", "'timeSliceTarget', which"),
    ("timeSliceTarget: 1,", "timeSliceTarget: 1.5,", "above 0 and up to 1, found 1.5"),
    ("compositeWeight: 2", "compositeWeight: 0", "expected a number above 0, found 0"),
    ("indicatorRef: answered, target", "target", "exactly one of indicator, indicatorRef"),
    ("  indicatorRef: answered\n", "", "expected exactly one of indicator, indicatorRef, or an"),
    ("    good: {metricSource: {metricSourceRef", "    bad: {metricSource: {metricSourceRef", ""),
    ("rawType: failure", "rawType: errors", "expected success or failure, found 'errors'"),
    ("    rawType: failure\n", "", "expected 'rawType', which is missing"),
    ("rawType: failure", "rawType: failure\n    counter: 1", "expected true or false, found the"),
    ("type: Prometheus, spec: {query: total}", "spec: {query: total}", "expected 'type', or a"),
    ("spec: {query: missing}", "spec: {}", "expected at least one name in this map"),
    ("duration: 30d", "duration: 30D", "one of m h d w M Q Y"),
    ("duration: 30d", "duration: 0d", "a whole number above 0"),
    (
        "isRolling: true}]\n  budgetingMethod: Timeslices",
        "isRolling: false}]\n  budgetingMethod: Timeslices",
        "isRolling: true, or a calendar, found neither",
    ),
    ("timeZone: Europe/Berlin", "timeZone: Middle/Earth", "expected a time zone such as"),
    ('"2026-01-01 00:00:00"', '"2026-01-01T00:00:00Z"', "expected a time without a zone"),
    ("budgetingMethod: Timeslices", "budgetingMethod: Guesses", "Occurrences or Timeslices or"),
    (
        "conditions: [{conditionRef: fast}]",
        "conditions: [{conditionRef: fast}, {conditionRef: fast}]",
        "exactly 1 in this list, found 2",
    ),
    ("notificationTargets: [{targetRef: on-call}]", "notificationTargets: []", "at least 1"),
    ("kind: burnrate, op: gt,", "kind: errors, op: gt,", "expected burnrate, found 'errors'"),
    ("op: gt, threshold: 14.4", "op: over, threshold: 14.4", "expected lte or gte or lt or gt"),
    ("kind: Service", "kind: Servce", "expected kind to be one of Service"),
    (
        "apiVersion: openslo/v1\nkind: Service",
        "apiVersion: openslo/v1alpha\nkind: Service",
        "expected apiVersion openslo/v1, the one",
    ),
    ("  name: payments\n", "  name: Payments\n", "lower-case letters, digits and hyphens (RFC"),
    ("  name: payments\n", f"  name: {'a' * 64}\n", "expected at most 63 characters, found 64"),
    ("tier: [gold, eu]", "tier: [gold, {a: b}]", "expected a text, found a map"),
    ("team: payments", f"{'k' * 64}: payments", "expected a name of 1 to 63 characters"),
    ("plain: a note", "openslo.com/note: a note", "openslo.com is reserved"),
    ("plain: a note", "Not_DNS/note: a note", "expected a prefix that is a DNS name"),
    ("plain: a note", "plain: 7", "expected a text, found the number 7"),
    ("description: Tells shops", f"description: {'x' * 1051} shops", "at most 1050 characters"),
    (
        "  service: payments\n  indicatorRef: answered",
        "  service: nobody\n  indicatorRef: answered",
        "there is no Service 'nobody' in these files",
    ),
    ("indicatorRef: missing", "indicatorRef: gone", "there is no SLI 'gone' in these files"),
    ("{conditionRef: fast}", "{conditionRef: faster}", "there is no AlertCondition 'faster'"),
    ("    - fast-burn\n", "    - fastburn\n", "there is no AlertPolicy 'fastburn'"),
    (
        "metricSourceRef: metrics, spec: {query: share}",
        "metricSourceRef: none, spec: {query: share}",
        "there is no DataSource 'none'",
    ),
    ("name: raw-share", "name: answered", "SLI 'answered' is there already: f.yaml:"),
    ("displayName: Payment notifications", "displayname: x", "this is not known"),
    ("displayName: Payment notifications", "name: twice", "'name' is given twice, first in line"),
    ("  displayName: Payment", "\tdisplayName: Payment", "expected YAML: found character"),
]


@pytest.mark.parametrize(
    ("valid", "wrong", "said"), MISTAKES, ids=[wrong[:40] for _, wrong, _ in MISTAKES]
)
def test_one_mistake_is_named_with_its_line(valid: str, wrong: str, said: str) -> None:
    assert EVERYTHING.count(valid) >= 1, "the fixture has changed"
    before = EVERYTHING.index(valid)
    text = EVERYTHING.replace(valid, wrong, 1)
    found = problems_of(text)
    if not said:  # good became bad: that is as valid
        assert found == []
        return
    assert any(said in one for one in found), found
    first = text[:before].count("\n") + 1
    lines = [int(re.match(r"f\.yaml:(\d+):", one)[1]) for one in found if said in one]  # type: ignore[index]
    # Where something is missing, the line is that of the map it is missing from.
    assert any(first - 12 <= line <= first + wrong.count("\n") + 1 for line in lines), (
        first,
        found,
    )


@pytest.mark.parametrize("path", sorted(HERE.glob("invalid/*.yaml")), ids=lambda path: path.stem)
def test_an_invalid_file_says_what_its_first_line_promises(path: Path) -> None:
    """The first line of each is a comment: line number and words that must be said."""
    text = path.read_text()
    promised = re.match(r"# (\d+): (.*)\n", text)
    assert promised, path
    found = problems_of(text)
    assert any(one.startswith(f"f.yaml:{promised[1]}:") and promised[2] in one for one in found), (
        found
    )


@pytest.mark.parametrize(
    "text",
    [
        "a: &x [1]\nb: *x",
        "{",
        "a: b: c",
        "? [1, 2]\n: 3",
        "!!python/object/apply:os.system ['true']",
        "&a [*a]",
        "a: [" * 60 + "]" * 60,
    ],
)
def test_any_text_is_read_or_refused_and_nothing_is_run(text: str) -> None:
    bundle = read_bundle([("f", text)])
    assert bundle.problems, "none of these is OpenSLO"
    assert all(one.line >= 1 for one in bundle.problems)


def test_aliases_that_multiply_are_stopped() -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
    )
    with pytest.raises(Unreadable, match="too many values"):
        read_yaml(bomb, "f")


@given(st.text(max_size=200))
@settings(max_examples=200)
def test_whatever_is_written_there_is_an_answer(text: str) -> None:
    for one in read_bundle([("f", text)]).problems:
        assert one.line >= 1


# --- to and from objectives ---


def test_what_homing_can_keep_is_kept() -> None:
    bundle = read_bundle([("ours.yaml", OURS)])
    [found], problems = objectives_of(bundle, scope="org_1", at_us=7)
    assert problems == []
    assert found == Objective(
        scope="org_1",
        id="delivered",
        created_at_us=7,
        updated_at_us=7,
        sli=Sli.DELIVERED,
        target="0.9995",
        period="28d",
        description="Shops learn of a payment in a minute.",
        team="payments",
        owners=(Owner.PLATFORM, Owner.RECEIVER),
        events_min=100,
        labels={"team": ("payments", "platform")},
        annotations={"example.org/wiki": "https://wiki.example.org/delivered"},
    )


@pytest.mark.parametrize(
    ("valid", "wrong", "said"),
    [
        ("sli: delivered", "sli: happiness", "sli to be one of integrity"),
        ("    homing.webhooks/sli: delivered\n", "", "which is missing"),
        ("platform,receiver", "platform,nobody", "found 'platform,nobody'"),
        ('"100"', '"many"', "expected homing.webhooks/events-min to be a whole number"),
        ("duration: 4w", "duration: 1M", "expected 7d to 366d"),
        ("duration: 4w", "duration: 3d", "expected 7d to 366d"),
        ("targetPercent: 99.95", "targetPercent: 0", "above 0 and below 100%"),
        ("[{targetPercent: 99.95}]", "[{target: 0.9}, {target: 0.8}]", "expected one objective"),
        (
            "duration: 4w, isRolling: true",
            'duration: 2M, calendar: {startTime: "2026-01-01 00:00:00", timeZone: UTC}',
            "expected 1w, 1M, 1Q or 1Y",
        ),
        (
            "duration: 4w, isRolling: true",
            'duration: 1M, calendar: {startTime: "2026-01-15 00:00:00", timeZone: UTC}',
            "expected a start where a month begins",
        ),
    ],
)
def test_what_homing_cannot_keep_is_said_with_its_line(valid: str, wrong: str, said: str) -> None:
    text = OURS.replace(valid, wrong, 1)
    bundle = read_bundle([("f.yaml", text)])
    assert bundle.problems == []
    found, problems = objectives_of(bundle, scope="org_1", at_us=0)
    assert found == []
    assert any(said in str(one) for one in problems), problems
    assert all(one.line > 1 for one in problems)


def test_slices_of_time_are_not_kept() -> None:
    text = OURS.replace("Occurrences", "RatioTimeslices").replace(
        "{targetPercent: 99.95}", "{targetPercent: 99.95, timeSliceWindow: 1m}"
    )
    _, problems = objectives_of(read_bundle([("f", text)]), scope="", at_us=0)
    assert "Homing counts events, not slices of time" in str(problems[0])


def exported(objectives: list[Objective]) -> str:
    return write_bundle(documents_of(objectives, Limits(), prometheus_url="http://p:9090"))


def imported(text: str) -> list[Objective]:
    bundle = read_bundle([("f", text)])
    assert bundle.problems == []
    found, problems = objectives_of(bundle, scope="org_2", at_us=5)
    assert problems == []
    return found


def same_promise(one: Objective, other: Objective) -> bool:
    """Whether two say the same, whoever wrote them and when."""
    blank = {"scope": "", "version": 1, "created_at_us": 0, "updated_at_us": 0, "is_default": False}
    replace = msgspec.structs.replace
    return replace(one, **blank) == replace(other, **blank)


def test_the_defaults_go_out_and_come_back_the_same() -> None:
    defaults = default_objectives("org_1")
    back = imported(exported(defaults))
    assert len(back) == len(defaults)
    for one, other in zip(defaults, back, strict=True):
        assert same_promise(one, other)


names = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,60}[a-z0-9])?", fullmatch=True)
words = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=30)
promises = st.builds(
    Objective,
    scope=st.just("org_1"),
    id=names,
    created_at_us=st.just(0),
    updated_at_us=st.just(0),
    sli=st.sampled_from([one for one in Sli if one is not Sli.INTEGRITY]),
    target=st.integers(1, 10**8 - 1).map(lambda n: f"0.{n:08d}".rstrip("0")),
    period=st.sampled_from(["30d", "28d", "7d", "366d", "month", "week Europe/Berlin", "year"]),
    description=words,
    team=words,
    app_id=st.none() | st.just("app_1"),
    owners=st.lists(st.sampled_from(Owner), min_size=1, unique=True).map(tuple),
    events_min=st.integers(0, 999),
    bad_min=st.integers(0, 999),
    labels=st.dictionaries(names, st.lists(words, min_size=1, max_size=3).map(tuple), max_size=3),
    annotations=st.dictionaries(names, words, max_size=3),
)


@given(st.lists(promises, max_size=3, unique_by=lambda one: one.id))
@settings(max_examples=60, deadline=None)
def test_any_objective_goes_out_and_comes_back_the_same(objectives: list[Objective]) -> None:
    assert all(not mistakes_of(one) for one in objectives)
    back = imported(exported(objectives))
    assert len(back) == len(objectives)
    for one, other in zip(objectives, back, strict=True):
        assert same_promise(one, other), (one, other)


def test_what_the_format_cannot_say_is_in_annotations() -> None:
    month = Objective(
        scope="o",
        id="shop",
        created_at_us=0,
        updated_at_us=0,
        sli=Sli.DELIVERED,
        target="0.999",
        period="28d",
    )
    documents = documents_of([month], Limits(), prometheus_url="http://p")
    conditions = [one for one in documents if one["kind"] == "AlertCondition"]
    shorts = [one["metadata"]["annotations"][f"{PREFIX}short-window"] for one in conditions]
    assert shorts == ["5m", "30m", "2h", "6h"]
    assert conditions[-1]["metadata"]["annotations"][f"{PREFIX}factor"] == "14/15"
    assert [one["spec"]["condition"]["threshold"] for one in conditions][:2] == [
        Decimal("13.44"),
        Decimal("5.6"),
    ]


def test_every_annotation_that_is_written_is_in_the_reference() -> None:
    page = (Path(__file__).parents[4] / "docs/reference/openslo.md").read_text()
    told = Objective(
        scope="o",
        id="shop",
        created_at_us=0,
        updated_at_us=0,
        sli=Sli.DELIVERED,
        target="0.999",
        period="28d",
        team="payments",
        app_id="app_1",
    )
    documents = documents_of([*default_objectives("o"), told], Limits(), prometheus_url="http://p")
    names = {
        name.removeprefix(PREFIX)
        for one in documents
        for name in one["metadata"].get("annotations", {})
    }
    assert names >= {"sli", "short-window", "factor", "application", "team"}
    for name in names:
        assert f"`{name}`" in page, name


def test_none_at_all_is_a_threshold_and_says_so() -> None:
    [integrity] = [one for one in default_objectives("o") if one.sli is Sli.INTEGRITY]
    documents: list[dict[str, Any]] = documents_of([integrity], Limits(), prometheus_url="http://p")
    [slo] = [one for one in documents if one["kind"] == "SLO"]
    assert "thresholdMetric" in slo["spec"]["indicator"]["spec"]
    goal = slo["spec"]["objectives"][0]
    assert (goal["op"], goal["value"]) == ("lte", 0)
    assert goal["target"] < 1
    assert slo["metadata"]["annotations"][f"{PREFIX}target"] == "0"
