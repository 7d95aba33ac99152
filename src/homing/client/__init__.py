"""A client for what Homing has beyond Svix's API; for everything else, use Svix's own SDK.

    from homing.client import Client, NewMessage

    with Client("http://127.0.0.1:8000", token) as homing:
        homing.send_batch("shop", [NewMessage("payment.captured", {"id": 7}, event_id="p7")])
        assert homing.ledger().balanced
        for letter in homing.dead_letters("shop"):
            print(letter.id, letter.reason, letter.last_error)

Its methods wait, so one client serves one thread; it follows no redirects and reads no proxy
settings from the environment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from homing.client.errors import ClientError, NoAnswer, Rejected
from homing.client.models import (
    BatchResult,
    DeadLetter,
    Delivery,
    Incident,
    Issue,
    Ledger,
    LedgerRow,
    Misfit,
    Money,
    NewMessage,
    Objective,
    ObjectiveReport,
    Sent,
    Task,
)

__all__ = [
    "BATCH_MAX",
    "BatchResult",
    "Client",
    "ClientError",
    "DeadLetter",
    "Delivery",
    "Incident",
    "Issue",
    "Ledger",
    "LedgerRow",
    "Misfit",
    "Money",
    "NewMessage",
    "NoAnswer",
    "Objective",
    "ObjectiveReport",
    "Rejected",
    "Sent",
    "Task",
]

T = TypeVar("T")

#: longer than any call takes on a busy machine
_TIMEOUT_S: Final = 30.0
#: items in a page: the most that the API gives at once
_PAGE: Final = 250
#: messages in a batch: the most that the API takes at once
BATCH_MAX: Final = 1_000


class Client:
    """One caller of one Homing.

    Args:
        server_url: such as http://127.0.0.1:8000.
        token: of an organisation, or of one application (who then asks only for its own).
        timeout_s: of one request, > 0.

    Every method raises NoAnswer and Rejected.
    """

    def __init__(self, server_url: str, token: str, *, timeout_s: float = _TIMEOUT_S) -> None:
        self.server_url = server_url.rstrip("/")
        self._http = httpx.Client(
            base_url=f"{self.server_url}/api/v1",
            headers={"authorization": f"Bearer {token}"},
            timeout=timeout_s,
            trust_env=False,
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give its connections back."""
        self._http.close()

    def ensure_application(self, uid: str, name: str | None = None) -> str:
        """The id of the application of this uid, which is made where there is none."""
        body = {"uid": uid, "name": name or uid}
        return str(self._call("POST", "app", query={"get_if_exists": True}, body=body)["id"])

    def send_batch(self, app: str, messages: Sequence[NewMessage]) -> list[BatchResult]:
        """Accept up to 1,000 messages in one commit; what became of each, in their order."""
        told = self._call("POST", "app", app, "msg", "batch", body={"messages": list(messages)})
        return msgspec.convert(told["data"], list[BatchResult])

    def find_message(self, app: str, name: str) -> str | None:
        """The id of the message of this id or event id; None: there is none."""
        query = {"with_content": False}
        try:
            return str(self._call("GET", "app", app, "msg", name, query=query)["id"])
        except Rejected as error:
            if error.status == 404 and error.reason == "not_found":
                return None
            raise

    def ledger(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        window_s: int = 3_600,
    ) -> Ledger:
        """The books, counted again from the rows; of the last day by default."""
        query = {"since": since, "until": until, "window_s": window_s}
        return msgspec.convert(self._call("GET", "ledger", query=query), Ledger)

    def deliveries(
        self, app: str, *, endpoint: str | None = None, state: str | None = None
    ) -> Iterator[Delivery]:
        """Deliveries, those of the newest messages first."""
        return self._pages(Delivery, "app", app, "delivery", endpoint_id=endpoint, state=state)

    def dead_letters(
        self, app: str, *, endpoint: str | None = None, issue: str | None = None
    ) -> Iterator[DeadLetter]:
        """Dead letters, those of the newest messages first; of one endpoint, or of one issue."""
        path = ("app", app, "dead-letter")
        return self._pages(DeadLetter, *path, endpoint_id=endpoint, issue_id=issue)

    def issues(self, app: str, *, endpoint: str | None = None) -> Iterator[Issue]:
        """Issues of dead letters, newest first."""
        return self._pages(Issue, "app", app, "issue", endpoint_id=endpoint)

    def redrive(self, app: str, delivery_id: str) -> Delivery:
        """Give one dead letter its whole retry schedule again, the first attempt now."""
        told = self._call("POST", "app", app, "dead-letter", delivery_id, "redrive")
        return msgspec.convert(told, Delivery)

    def redrive_issue(self, app: str, issue: str, *, rate_per_s: float | None = None) -> Task:
        """Send all dead letters of an issue again, in the background."""
        body = {"issueId": issue} | ({} if rate_per_s is None else {"ratePerS": rate_per_s})
        told = self._call("POST", "app", app, "dead-letter", "redrive", body=body)
        return msgspec.convert(told, Task)

    def objectives(self) -> list[ObjectiveReport]:
        """How every objective stands, those of the defaults among them."""
        told = self._call("GET", "objective", "report")
        return msgspec.convert(told["data"], list[ObjectiveReport])

    def incidents(self) -> Iterator[Incident]:
        """Incidents, without their records."""
        return self._pages(Incident, "incident")

    def incident(self, incident_id: str) -> Incident:
        """One incident, with all of it."""
        return msgspec.convert(self._call("GET", "incident", incident_id), Incident)

    def open_incident(
        self, title: str, *, severity: str = "unrated", owner: str = "", actor: str = "the API"
    ) -> Incident:
        """Begin an incident; `actor` is who does."""
        body = {"title": title, "severity": severity, "owner": owner, "actor": actor}
        return msgspec.convert(self._call("POST", "incident", body=body), Incident)

    def add_to_incident(
        self, incident_id: str, kind: str, *, actor: str = "the API", **fields: Any
    ) -> Incident:
        """Add a note ("said", with its `text`), a deployment, a follow-up and so on."""
        body = {"type": kind, "fields": fields, "actor": actor}
        told = self._call("POST", "incident", incident_id, "change", body=body)
        return msgspec.convert(told, Incident)

    def delivery_log(self, app: str | None = None, *, limit: int = 10_000) -> Iterator[Any]:
        """Lines of the delivery log, oldest first; fields as in the log's reference page."""
        cursor = None
        while limit > 0:
            query = {"cursor": cursor, "limit": min(limit, 10_000), "app_id": app}
            lines = self._request("GET", ("delivery-log",), query=query).content.splitlines()
            yield from map(msgspec.json.decode, lines)
            if not lines:
                return
            cursor = msgspec.json.decode(lines[-1])["cursor"]
            limit -= len(lines)

    def sent(
        self,
        app: str,
        endpoint: str,
        *,
        since: datetime,
        until: datetime | None = None,
        state: str | None = None,
    ) -> Iterator[Sent]:
        """What was for this endpoint and accepted since then, delivered or not, oldest first."""
        path = ("app", app, "endpoint", endpoint, "sent")
        return self._pages(Sent, *path, since=since, until=until, state=state)

    def resend(self, app: str, message: str, endpoint: str) -> None:
        """Send one message once more, whatever became of it; its retries stay due."""
        self._call("POST", "app", app, "msg", message, "endpoint", endpoint, "resend")

    def recover(
        self, app: str, endpoint: str, *, since: datetime, until: datetime | None = None
    ) -> Task:
        """Send the dead letters of a time again, in the background."""
        body = {"since": since} | ({} if until is None else {"until": until})
        told = self._call("POST", "app", app, "endpoint", endpoint, "recover", body=body)
        return msgspec.convert(told, Task)

    def _pages(self, kind: type[T], *path: str, **query: Any) -> Iterator[T]:
        iterator = None
        while True:
            asked = {**query, "limit": _PAGE, "iterator": iterator}
            page = self._call("GET", *path, query=asked)
            yield from msgspec.convert(page["data"], list[kind])  # type: ignore[valid-type]
            if page["done"]:
                return
            iterator = page["iterator"]

    def _call(
        self, method: str, *path: str, query: Mapping[str, Any] | None = None, body: Any = None
    ) -> Any:
        answer = self._request(method, path, query=query or {}, body=body)
        return msgspec.json.decode(answer.content) if answer.content else None

    def _request(
        self, method: str, path: Sequence[str], *, query: Mapping[str, Any], body: Any = None
    ) -> httpx.Response:
        url = "/" + "/".join(quote(part, safe="") for part in path)
        content = None if body is None else msgspec.json.encode(body)
        headers = {} if body is None else {"content-type": "application/json"}
        try:
            answer = self._http.request(
                method, url, params=_parameters(query), content=content, headers=headers
            )
        except httpx.HTTPError as error:
            text = str(error).rpartition("] ")[2] or type(error).__name__
            raise NoAnswer(
                f"no answer from {self.server_url}: {text}. Is `homing serve` running there?"
            ) from error
        if not answer.is_success:
            raise _rejected(method, url, answer)
        return answer


def _parameters(query: Mapping[str, Any]) -> dict[str, str]:
    """As they go into a URL; None is left out."""
    return {name: _text(value) for name, value in query.items() if value is not None}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, datetime):
        return str(value)
    if value.tzinfo is None:
        raise ValueError(f"expected a time with its zone, found {value.isoformat()}")
    return value.isoformat()


def _rejected(method: str, url: str, answer: httpx.Response) -> Rejected:
    """The error, from either form of error body."""
    try:
        told = msgspec.json.decode(answer.content)
        detail, reason = told["detail"], told.get("code")
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError):
        detail, reason = answer.text[:200], None
    if isinstance(detail, list):
        detail = "; ".join(f"{'.'.join(one['loc'][1:])}: {one['msg']}" for one in detail)
    text = f"{method} {url}: {detail or answer.reason_phrase} (status {answer.status_code})"
    if answer.status_code == 401:
        text += "; make a token with `homing token`"
    return Rejected(text, answer.status_code, reason)
