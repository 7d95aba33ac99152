from __future__ import annotations

from typing import Any

import pytest
from starlette.datastructures import ImmutableMultiDict

from homing.core.errors import Conflict, Invalid
from homing.core.objectives import Limits, Objective, Owner, Sli
from homing.web.pages.objective_form import (
    blank,
    draft_in,
    form_values,
    texts_in,
    texts_of,
    wrongs,
)


def objective(**fields: Any) -> Objective:
    known: dict[str, Any] = {
        "scope": "org_1",
        "id": "orders",
        "created_at_us": 0,
        "updated_at_us": 0,
        "sli": Sli.DELIVERED,
        "target": "0.9995",
    }
    return Objective(**(known | fields))


def refused(**fields: Any) -> dict[str, str]:
    with pytest.raises(Invalid) as caught:
        draft_in(blank() | {"name": "orders"} | fields)
    return wrongs(caught.value)


def test_an_objective_comes_back_from_its_form_as_it_was() -> None:
    before = objective(
        period="month Europe/Oslo",
        description="Orders arrive.",
        team="shop",
        app_id="app_1",
        owners=(Owner.RECEIVER,),
        events_min=7,
        bad_min=2,
        labels={"tier": ("1", "2")},
        annotations={"runbook": "https://example.com"},
    )
    draft = draft_in(texts_of(before), present=before)
    for name in draft.__struct_fields__:
        assert getattr(draft, name) == getattr(before, name), name
    # a time that the form does not offer is offered for this one
    values = form_values(texts_of(before), Limits(), {}, before)
    assert values["periods"][-1][0] == "month Europe/Oslo"


def test_the_form_is_read_as_browsers_send_it() -> None:
    pairs = [("name", " orders "), ("sli", "retry"), ("owner", "receiver"), ("owner", "receiver")]
    texts = texts_in(ImmutableMultiDict(pairs))
    assert (texts["name"], texts["sli"], texts["owners"]) == ("orders", "retry", ["receiver"])


def test_that_nothing_is_missing_has_no_share() -> None:
    before = objective(sli=Sli.INTEGRITY, target="0")
    assert draft_in(texts_of(before) | {"target": "99%"}, present=before).target == "0"
    assert form_values(blank(), Limits(), {}, before)["slis"][0][0] == "integrity"
    others = [one for one, _ in form_values(blank(), Limits(), {}, None)["slis"]]
    assert "integrity" not in others
    assert len(others) == len(Sli) - 1


@pytest.mark.parametrize(
    ("fields", "name", "text"),
    [
        ({"target": "lots"}, "target", "such as 99.9%"),
        ({"target": ""}, "target", "such as 99.9%"),
        ({"sli": "luck"}, "sli", ""),
        ({"period": ""}, "period", ""),
        ({"owners": []}, "owners", "tick at least one"),
        ({"owners": ["me"]}, "owners", ""),
        ({"events_min": "-1"}, "events_min", "whole number"),
        ({"bad_min": "many"}, "bad_min", "whole number"),
        ({"team": "x" * 257}, "team", "256"),
        ({"sli": "audit", "app": "app_1"}, "app", "all applications"),
        ({"name": "new"}, "name", "taken"),
    ],
)
def test_what_is_wrong_is_told_at_its_field(fields: dict[str, Any], name: str, text: str) -> None:
    wrong = refused(**fields)
    assert list(wrong) == [name]
    assert text in wrong[name]


def test_what_is_wrong_with_the_whole_is_told_as_a_sentence() -> None:
    assert wrongs(Conflict("there are too many")) == {"": "There are too many."}
