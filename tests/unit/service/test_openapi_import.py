"""What an OpenAPI document says about event types."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.core.errors import Invalid, Refused, RequestError
from homing.service.openapi_import import described, parse_spec

PET = {"type": "object", "properties": {"owner": {"$ref": "#/components/schemas/Person"}}}
PERSON = {"type": "object", "properties": {"pets": {"items": {"$ref": "#/components/schemas/Pet"}}}}


def spec(schema: object, **operation: object) -> dict[str, Any]:
    body = {"content": {"application/json": {"schema": schema}}}
    return {
        "openapi": "3.1.0",
        "webhooks": {"pet.new": {"post": {"requestBody": body, **operation}}},
        "components": {"schemas": {"Pet": PET, "Person": PERSON, "Other": {}}},
    }


def test_a_webhook_is_an_event_type() -> None:
    (one,) = described(
        spec(
            {"type": "object"},
            description="A new pet",
            deprecated=True,
            **{"x-svix-group-name": "pets", "x-svix-feature-flags": ["beta"]},
        )
    )
    assert (one.name, one.draft.description, one.draft.deprecated) == ("pet.new", "A new pet", True)
    assert (one.draft.group_name, one.draft.feature_flags) == ("pets", ("beta",))
    assert one.draft.schemas == {"1": {"type": "object"}}


def test_a_schema_brings_what_it_refers_to_and_no_more_round_trips_through_circles() -> None:
    (one,) = described(spec({"$ref": "#/components/schemas/Pet"}))
    schema: Any = (one.draft.schemas or {})["1"]
    assert schema["$ref"] == "#/definitions/Pet"
    assert set(schema["definitions"]) == {"Pet", "Person"}
    owner = schema["definitions"]["Pet"]["properties"]["owner"]
    assert owner == {"$ref": "#/definitions/Person"}


def test_older_documents_have_them_under_another_name() -> None:
    old = spec({})
    old["x-webhooks"] = old.pop("webhooks")
    assert [one.name for one in described(old)] == ["pet.new"]


def test_what_cannot_be_a_name_or_a_schema_is_told_with_its_place() -> None:
    with pytest.raises(Invalid) as caught:
        described({"webhooks": {"a b": {}}})
    assert caught.value.problems[0].where == ("body", "spec", "webhooks", "a b")
    with pytest.raises(Invalid):
        described(spec({"type": "no such type"}))


def test_a_document_cannot_multiply_what_it_has() -> None:
    large = {"components": {"schemas": {"X": {"description": "x" * 100_000}}}}
    schema = {"$ref": "#/components/schemas/X"}
    body = {"content": {"application/json": {"schema": schema}}}
    webhooks = {f"t{n}": {"post": {"requestBody": body}} for n in range(100)}
    with pytest.raises(Refused):
        described(large | {"webhooks": webhooks})
    with pytest.raises(Refused):
        described({"webhooks": {f"t{n}": {} for n in range(1_001)}})


@pytest.mark.parametrize("depth", [300, 600, 900])
def test_a_deep_document_is_read_or_refused(depth: int) -> None:
    schema: dict[str, Any] = {}
    for _ in range(depth):
        schema = {"not": schema}
    with suppress(Invalid):
        described(spec(schema))


@pytest.mark.parametrize("text", ["", "[]", "1", "openapi: 3.1.0", "[" * 100_000])
def test_a_text_that_is_no_json_object_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        parse_spec(text)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["webhooks", "post", "requestBody", "content", "application/json", "schema", "$ref",
             "components", "schemas", "x-svix-feature-flags", "description", "a"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=30,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(["webhooks", "components", "x-webhooks"]), _JSON))
def test_any_document_is_read_or_refused(document: dict[str, Any]) -> None:
    with suppress(RequestError):
        described(document)
