"""What a chaos run is drawn from, and the curve it leaves."""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ElementTree

import pytest

from bench.chaos.curve import Band, outstanding, to_csv, to_svg
from bench.chaos.layout import make_layout
from bench.chaos.plan import OF_DATABASE, Kind, make_plan

ALL = tuple(Kind)


def test_the_same_seed_gives_the_same_plan_and_another_seed_another() -> None:
    plans = [make_plan(ALL, seed=s, nodes=3, duration_s=120, every_s=4) for s in (1, 1, 2)]
    assert plans[0] == plans[1] != plans[2]


@pytest.mark.parametrize("seed", range(50))
def test_a_plan_has_every_kind_and_never_two_faults_in_one_place(seed: int) -> None:
    plan = make_plan(ALL, seed=seed, nodes=3, duration_s=120, every_s=3)
    assert {fault.kind for fault in plan} == set(ALL)
    assert all((fault.node == -1) == (fault.kind in OF_DATABASE) for fault in plan)
    for place in {fault.place for fault in plan}:
        here = sorted((f for f in plan if f.place == place), key=lambda f: f.at_s)
        assert all(a.until_s < b.at_s for a, b in itertools.pairwise(here))


def test_a_plan_without_kinds_is_calm() -> None:
    assert make_plan((), seed=1, nodes=3, duration_s=60, every_s=1) == []


def test_each_delivery_has_a_number_of_its_own_and_leads_back_to_its_endpoint() -> None:
    layout = make_layout(endpoints=12, fanout=3, failing=0.1, hanging=0.1, seed=1)
    seen = set()
    for message in range(20):
        wanted = [e for e in range(12) if layout.delivery(message, e) is not None]
        assert len(wanted) == 3
        for endpoint in wanted:
            number = layout.delivery(message, endpoint)
            assert number in layout.deliveries_of(message)
            assert number is not None
            assert layout.endpoint_of(number) == endpoint
            seen.add(number)
    assert seen == set(range(60))


def test_a_share_of_endpoints_is_never_rounded_to_none_and_none_is_both() -> None:
    layout = make_layout(endpoints=10, fanout=1, failing=0.01, hanging=0.01, seed=3)
    assert len(layout.failing) == len(layout.hanging) == 1
    assert not layout.failing & layout.hanging


def test_endpoints_that_cannot_be_divided_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be divided"):
        make_layout(endpoints=10, fanout=3, failing=0, hanging=0, seed=1)


def test_the_curve_counts_what_is_accepted_and_not_yet_received() -> None:
    curve = outstanding([(1.0, 3.0), (2.0, 2.0), (2.0, None)], until_s=4.0, points=4)
    assert [point.outstanding for point in curve] == [0, 1, 2, 1, 1]
    assert (curve[-1].accepted, curve[-1].received) == (3, 2)


def test_what_arrives_before_its_publisher_knows_is_never_outstanding() -> None:
    curve = outstanding([(3.0, 1.0)], until_s=4.0, points=4)
    assert [point.outstanding for point in curve] == [0, 0, 0, 0, 0]


def test_a_leak_is_a_floor_that_stays() -> None:
    curve = outstanding(
        [(0.1 * n, 0.1 * n + 0.5 if n != 7 else None) for n in range(50)], until_s=9
    )
    assert {point.outstanding for point in curve[-100:]} == {1}


def test_the_picture_stands_alone_and_shows_each_fault_in_words() -> None:
    curve = outstanding([(1.0, 3.0)] * 10, until_s=10.0)
    bands = [Band("kill", "node-1", 2.0, 2.5), Band("failover", "database", 4.0, 7.0)]
    svg = to_svg(curve, bands, title="A <title> & more", note="seed 1")
    words = " ".join(ElementTree.fromstring(svg).itertext())
    assert "A <title> & more" in words
    assert "kill of node-1, 2.0 to 2.5 s" in words
    assert "failover of database" in words
    assert "prefers-color-scheme: dark" in svg
    assert "http" not in svg.replace("http://www.w3.org/2000/svg", "")


def test_the_csv_has_a_line_for_each_point() -> None:
    curve = outstanding([(1.0, 3.0)], until_s=4.0, points=4)
    assert to_csv(curve).splitlines()[:2] == ["at_s,accepted,received,outstanding", "0.000,0,0,0"]
    assert len(to_csv(curve).splitlines()) == 6
