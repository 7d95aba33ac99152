"""Which pages there are to look at and to measure; a page that is new gets a line here."""

from __future__ import annotations

from typing import Any, Final

from bench.processes import Node

#: pictures that documents show: page, width, theme
PICTURED: Final = frozenset(
    {
        "home-1440-light",
        "home-1440-dark",
        "home-390-light",
        "dead-letters-1440-light",
        "issue-1440-light",
        "endpoint-1440-light",
        "delivery-1440-light",
        "objectives-1440-dark",
        "walkthrough-story-1440-light",
        "incident-story-1440-light",
    }
)

_STORY: Final = "/walkthrough/lost-update"
_LISTENER: Final = "level=sde2&lens=ownership"


def page_urls(node: Node) -> dict[str, str]:
    """Every page by a word; those of one thing show the first that there is."""
    app = _first(node, "/app", uid="shop")
    urls = {
        "home": "/",
        "you": "/you",
        "messages": "/messages",
        "deliveries": "/deliveries",
        # what nothing fits: these stop at their bound
        "search": "/deliveries?find=type:nothing.*",
        "search-text": "/messages?find=nowhere17",
        "endpoints": "/endpoints",
        "applications": "/applications",
        "event-types": "/event-types",
        "dead-letters": "/dead-letters",
        "objectives": "/objectives",
        "objective-new": "/objectives/new",
        "board": "/board",
        "alerts": "/alerts",
        "incidents": "/incidents",
        "walkthrough": "/walkthrough",
        "walkthrough-story": f"{_STORY}?{_LISTENER}",
        "walkthrough-learn": f"{_STORY}/learn?{_LISTENER}",
        "walkthrough-rehearse": f"{_STORY}/rehearse?{_LISTENER}",
        "walkthrough-mock": f"{_STORY}/mock?{_LISTENER}",
    }
    if app is None:
        return urls
    messages = node.api("GET", f"/app/{app['id']}/msg")["data"]
    if messages:
        urls["message"] = f"/messages/{app['id']}/{messages[0]['id']}"
    endpoint = _first(node, f"/app/{app['id']}/endpoint", uid="warehouse")
    if endpoint is not None:
        urls["endpoint"] = f"/endpoints/{app['id']}/{endpoint['id']}"
    issue = _first(node, f"/app/{app['id']}/issue")
    if issue is not None:
        urls["issue"] = f"/dead-letters/{issue['id']}"
        letters = node.api("GET", f"/app/{app['id']}/dead-letter?limit=1")["data"]
        if letters:
            urls["delivery"] = f"/deliveries/{letters[0]['id']}"
    objective = _first(node, "/objective", name="delivered")
    if objective is not None:
        urls["objective"] = f"/objectives/{objective['name']}"
    incident = _first(node, "/incident", service="warehouse")
    if incident is not None:
        urls["incident"] = f"/incidents/{incident['id']}"
    told = _first(node, "/incident", title="payment webhooks are missing")
    if told is not None:
        urls["incident-story"] = f"/incidents/{told['id']}/story"
    return urls


def _first(node: Node, path: str, **like: str) -> dict[str, Any] | None:
    """The first of a listing that has these values, or the first of all."""
    found: list[dict[str, Any]] = node.api("GET", path)["data"]
    for one in found:
        if all(one.get(name) == value for name, value in like.items()):
            return one
    return found[0] if found else None
