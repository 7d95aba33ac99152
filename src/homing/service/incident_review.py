"""What a record says as a document, and what of it is drawn."""

from __future__ import annotations

from typing import Any

from homing.core.errors import Conflict
from homing.review.blocks import Document
from homing.review.incident import Incident
from homing.review.pictures import example_plot, suspects_plot
from homing.review.sections import review

#: what the suspects of an investigation are drawn of: those that chance does not explain
_CHANCE = 0.05
_LIFT = 1.2
_SUSPECTS_MAX = 12


def review_of(incident: Incident) -> Document:
    """The review; some hundredths of a second of work.

    Raises:
        Conflict: a result in the record is not as the commands write it.
    """
    try:
        return review(incident, incident.id)
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        text = f"a result in the record is not as `homing` writes it ({error!r}); find it again"
        raise Conflict(text) from error


def example_of(incident: Incident) -> tuple[str, list[dict[str, Any]]] | None:
    """One delivery that was dropped, in lanes as inline SVG, and its lines; None: there is none.

    Raises:
        Conflict: as `review_of`.
    """
    found = incident.results.get("investigate")
    if found is None:
        return None
    try:
        examples = list(found.values.get("examples", ()))
        rows = [dict(one) for one in examples[0]["rows"]] if examples else []
        return (example_plot(rows), rows) if rows else None
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise Conflict(f"the example in the record cannot be drawn: {error!r}") from error


def suspects_of(incident: Incident) -> str | None:
    """What the drops have in common, as inline SVG; None: nothing is known, or nothing stands out.

    Raises:
        Conflict: as `review_of`.
    """
    found = incident.results.get("investigate")
    if found is None:
        return None
    try:
        rows = [
            one
            for one in found.values.get("suspects", ())
            if one["q"] <= _CHANCE and one["lift"] > _LIFT
        ][:_SUSPECTS_MAX]
        return suspects_plot(rows) if rows else None
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise Conflict(f"the investigation in the record cannot be drawn: {error!r}") from error
