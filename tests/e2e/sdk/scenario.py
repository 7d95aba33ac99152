"""What a user of Svix's Python SDK does, against the server whose URL and token are given.

Run by each version of the SDK in an environment of its own; it has only that package.
Ends with exit code 0 and the word "done" if everything was as the SDK promises it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import svix.models as models
from svix.api import Svix, SvixAsync, SvixOptions
from svix.api.application import ApplicationListOptions
from svix.api.background_task import BackgroundTaskListOptions
from svix.api.endpoint import EndpointGetStatsOptions, EndpointListOptions
from svix.api.event_type import EventTypeDeleteOptions, EventTypeListOptions
from svix.api.message import (
    MessageCreateOptions,
    MessageGetOptions,
    MessageListOptions,
    message_in_raw,
)
from svix.api.message_attempt import (
    MessageAttemptListAttemptedDestinationsOptions,
    MessageAttemptListAttemptedMessagesOptions,
    MessageAttemptListByEndpointOptions,
    MessageAttemptListByMsgOptions,
)
from svix.exceptions import HttpError, HTTPValidationError
from svix.webhooks import Webhook, WebhookVerificationError

EndpointUpdate = getattr(models, "EndpointUpsertIn", None) or models.EndpointUpdate
EventTypeUpdate = getattr(models, "EventTypeUpsertIn", None) or models.EventTypeUpdate
OperationalUpdate = (
    getattr(models, "OperationalWebhookEndpointUpsertIn", None)
    or models.OperationalWebhookEndpointUpdate
)

received: list[tuple[str, dict[str, str], bytes]] = []
answers: dict[str, list[int]] = {}


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        received.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        planned = answers.get(self.path, [])
        self.send_response(planned.pop(0) if len(planned) > 1 else (planned or [200])[0])
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


def until(what, expected=True, seconds=10.0):
    """The value of `what()`, once it is as expected."""
    end = time.monotonic() + seconds
    while True:
        value = what()
        if (bool(value) if expected is True else value == expected) or time.monotonic() > end:
            assert bool(value) if expected is True else value == expected, value
            return value
        time.sleep(0.02)


def refused(status, what, kind=HttpError):
    """`what()` is refused with this status, as the SDK tells it."""
    try:
        what()
    except kind as error:
        assert error.status_code == status, (error.status_code, status)  # noqa: PT017
        return error
    raise AssertionError(f"expected {status}")


def received_at(path):
    return [(headers, body) for at, headers, body in received if at == path]


def replace(resource):
    """The method that replaces or creates one: called `upsert` since 2.0."""
    return getattr(resource, "upsert", None) or resource.update


def verified(secret, body, headers):
    """The payload, once the SDK has verified it; since 2.0 it does not return it itself."""
    Webhook(secret).verify(body, headers)
    return json.loads(body)


def applications(svix):
    made = svix.application.create(
        models.ApplicationIn(name="Shop", uid="shop", metadata={"a": "b"})
    )
    assert (made.name, made.uid, made.metadata) == ("Shop", "shop", {"a": "b"})
    same = svix.application.get_or_create(models.ApplicationIn(name="Other", uid="shop"))
    assert same.id == made.id
    assert refused(409, lambda: svix.application.create(models.ApplicationIn(name="x", uid="shop")))
    assert svix.application.get("shop").created_at == made.created_at
    renamed = replace(svix.application)("shop", models.ApplicationIn(name="Shop 2", uid="shop"))
    assert (renamed.name, renamed.metadata) == ("Shop 2", {})
    patched = svix.application.patch("shop", models.ApplicationPatch(name="Shop 3"))
    assert (patched.name, patched.uid) == ("Shop 3", "shop")
    rate = (
        "throttle_rate" if "throttle_rate" in models.ApplicationOut.model_fields else "rate_limit"
    )
    limited = svix.application.patch("shop", models.ApplicationPatch(**{rate: 4_000}))
    assert getattr(limited, rate) == 4_000
    free = svix.application.patch("shop", models.ApplicationPatch(**{rate: None}))
    assert getattr(free, rate) is None
    spare = svix.application.create(models.ApplicationIn(name="Spare", uid="spare"))
    cleared = svix.application.patch("spare", models.ApplicationPatch(uid=None))
    assert cleared.uid is None
    page = svix.application.list(ApplicationListOptions(limit=1))
    assert (page.data[0].id, page.done) == (made.id, False)
    page = svix.application.list(ApplicationListOptions(limit=1, iterator=page.iterator))
    assert page.data[0].id == spare.id
    back = svix.application.list(ApplicationListOptions(limit=1, iterator=page.prev_iterator))
    assert (back.data[0].id, back.done) == (made.id, True)
    svix.application.delete(spare.id)
    assert refused(404, lambda: svix.application.get(spare.id))
    error = refused(
        422, lambda: svix.application.create(models.ApplicationIn(name="")), HTTPValidationError
    )
    assert error.detail


def event_types(svix):
    schema = {"1": {"type": "object", "examples": [{"n": 1}]}}
    made = svix.event_type.create(
        models.EventTypeIn(name="order.paid", description="Paid", schemas=schema)
    )
    assert (made.name, made.schemas) == ("order.paid", schema)
    svix.event_type.create(models.EventTypeIn(name="order.sent", description="Sent"))
    assert refused(
        409, lambda: svix.event_type.create(models.EventTypeIn(name="order.paid", description=""))
    )
    page = svix.event_type.list(EventTypeListOptions(limit=1))
    assert (page.data[0].name, page.data[0].schemas, page.done) == ("order.paid", None, False)
    page = svix.event_type.list(EventTypeListOptions(iterator=page.iterator, with_content=True))
    assert ([t.name for t in page.data], page.done) == (["order.sent"], True)
    assert (
        replace(svix.event_type)("order.sent", EventTypeUpdate(description="x")).description == "x"
    )
    assert svix.event_type.patch("order.sent", models.EventTypePatch(archived=True)).archived
    assert [t.name for t in svix.event_type.list().data] == ["order.paid"]
    everything = svix.event_type.list(EventTypeListOptions(include_archived=True))
    assert len(everything.data) == 2
    svix.event_type.delete("order.sent", EventTypeDeleteOptions(expunge=True))
    assert refused(404, lambda: svix.event_type.get("order.sent"))
    assert svix.event_type.get("order.paid").schemas == schema


def endpoints(svix, url):
    given = {"channels": ["eu"], "metadata": {"a": "b"}, "description": "d"}
    types = "event_types" if "event_types" in models.EndpointIn.model_fields else "filter_types"
    made = svix.endpoint.create(
        "shop",
        models.EndpointIn(url=f"{url}/main", uid="main", **given, **{types: ["order.paid"]}),
    )
    assert (made.uid, made.channels, made.metadata) == ("main", ["eu"], {"a": "b"})
    assert getattr(made, types) == ["order.paid"]
    assert made.disabled is False
    wrong = models.EndpointIn(url=url, **{types: ["typo"]})
    assert refused(422, lambda: svix.endpoint.create("shop", wrong), HTTPValidationError)
    time.sleep(0.01)  # ids sort by time in steps of 4 ms
    other = svix.endpoint.create("shop", models.EndpointIn(url=f"{url}/other"))
    page = svix.endpoint.list("shop", EndpointListOptions(limit=1))
    assert (page.data[0].id, page.done) == (other.id, False)
    page = svix.endpoint.list("shop", EndpointListOptions(limit=1, iterator=page.iterator))
    assert (page.data[0].id, page.done) == (made.id, True)
    svix.endpoint.delete("shop", other.id)
    after = replace(svix.endpoint)("shop", "main", EndpointUpdate(url=f"{url}/main", uid="main"))
    assert (after.id, after.channels, getattr(after, types)) == (made.id, None, None)
    patched = svix.endpoint.patch(
        "shop",
        "main",
        models.EndpointPatch(rate_limit=5)
        if "rate_limit" in models.EndpointPatch.model_fields
        else models.EndpointPatch(throttle_rate=5),
    )
    assert 5 in (getattr(patched, "rate_limit", None), getattr(patched, "throttle_rate", None))
    cleared = svix.endpoint.patch("shop", "main", models.EndpointPatch(channels=None))
    assert (cleared.channels, cleared.uid) == (None, "main")
    assert svix.endpoint.get("shop", "main").url == f"{url}/main"
    set_headers = getattr(svix.endpoint, "set_headers", None) or svix.endpoint.update_headers
    set_headers("shop", "main", models.EndpointHeadersIn(headers={"X-Shop": "1", "X-Api-Key": "k"}))
    svix.endpoint.patch_headers(
        "shop", "main", models.EndpointHeadersPatchIn(headers={"X-More": "2"})
    )
    headers = svix.endpoint.get_headers("shop", "main")
    assert headers.headers == {"X-Shop": "1", "X-More": "2"}
    assert list(headers.sensitive) == ["X-Api-Key"]
    return made


def first_delivery(svix, endpoint):
    secret = svix.endpoint.get_secret("shop", "main").key
    sent = svix.message.create(
        "shop",
        models.MessageIn(
            event_type="order.paid",
            event_id="order-1",
            payload={"amount": 10, "name": "é"},
            channels=["eu"],
            tags=["t"],
        ),
        MessageCreateOptions(idempotency_key="order-1", with_content=True),
    )
    assert sent.payload == {"amount": 10, "name": "é"}
    assert sent.channels == ["eu"]
    headers, body = until(lambda: received_at("/main"))[0]
    assert verified(secret, body, headers) == {"amount": 10, "name": "é"}
    assert headers["x-shop"] == "1"
    try:
        Webhook(secret).verify(body + b" ", headers)
        raise AssertionError("a changed body was verified")
    except WebhookVerificationError:
        pass
    again = svix.message.create(
        "shop",
        models.MessageIn(
            event_type="order.paid",
            event_id="order-1",
            payload={"amount": 10, "name": "é"},
            channels=["eu"],
            tags=["t"],
        ),
    )
    assert again.id == sent.id
    other = models.MessageIn(event_type="order.paid", event_id="order-1", payload={"amount": 11})
    assert refused(409, lambda: svix.message.create("shop", other))
    assert svix.message.get("shop", "order-1").id == sent.id
    bare = svix.message.get("shop", sent.id, MessageGetOptions(with_content=False))
    assert bare.payload == {}
    full = svix.message.get("shop", sent.id, MessageGetOptions(with_content=True))
    assert full.payload == {"amount": 10, "name": "é"}
    return sent, secret


def raw_and_rotated(svix, secret):
    svix.endpoint.rotate_secret("shop", "main", models.EndpointSecretRotateIn())
    new = svix.endpoint.get_secret("shop", "main").key
    assert new != secret
    before = len(received_at("/main"))
    text = '{ "not" :  "minified" }'
    svix.message.create("shop", message_in_raw("order.paid", text))
    headers, body = until(lambda: received_at("/main")[before:])[0]
    assert body == text.encode()
    for key in (secret, new):
        assert verified(key, body, headers) == {"not": "minified"}


def attempts(svix, sent, endpoint):
    by_message = until(
        lambda: (
            svix.message_attempt.list_by_msg(
                "shop", sent.id, MessageAttemptListByMsgOptions(with_content=True)
            ).data
        )
    )
    assert len(by_message) == 1
    attempt = by_message[0]
    assert (attempt.status, attempt.response_status_code) == (models.MessageStatus.SUCCESS, 200)
    assert (attempt.endpoint_id, attempt.msg_id) == (endpoint.id, sent.id)
    assert attempt.url == endpoint.url
    options = MessageAttemptListByEndpointOptions(
        status=models.MessageStatus.SUCCESS,
        status_code_class=models.StatusCodeClass.CODE2XX,
        event_types=["order.paid", "x"],
        channel="eu",
        with_msg=True,
        before=datetime.now(UTC) + timedelta(minutes=1),
        after=datetime.now(UTC) - timedelta(minutes=10),
    )
    by_endpoint = svix.message_attempt.list_by_endpoint("shop", "main", options)
    assert [a.id for a in by_endpoint.data] == [attempt.id]
    assert by_endpoint.data[0].msg.id == sent.id
    assert svix.message_attempt.get("shop", sent.id, attempt.id).id == attempt.id
    messages = svix.message_attempt.list_attempted_messages(
        "shop", "main", MessageAttemptListAttemptedMessagesOptions(channel="eu")
    )
    assert [(m.id, m.status) for m in messages.data] == [(sent.id, models.MessageStatus.SUCCESS)]
    destinations = svix.message_attempt.list_attempted_destinations(
        "shop", sent.id, MessageAttemptListAttemptedDestinationsOptions(limit=1)
    )
    assert [(d.id, d.done if hasattr(d, "done") else None) for d in destinations.data] == [
        (endpoint.id, None)
    ]
    assert destinations.done
    svix.message_attempt.resend("shop", sent.id, "main")
    until(lambda: len(svix.message_attempt.list_by_msg("shop", sent.id).data), 2)
    manual = svix.message_attempt.list_by_msg("shop", sent.id).data[0]
    assert manual.trigger_type == models.MessageAttemptTriggerType.MANUAL
    svix.message_attempt.expunge_content("shop", sent.id, attempt.id)
    svix.message.expunge_content("shop", sent.id)


def failures(svix, url):
    answers["/flaky"] = [500]
    svix.endpoint.create("shop", models.EndpointIn(url=f"{url}/flaky", uid="flaky"))
    since = datetime.now(UTC) - timedelta(minutes=5)
    sent = svix.message.create("shop", models.MessageIn(event_type="order.paid", payload={"n": 2}))

    def status():
        page = svix.message_attempt.list_attempted_messages("shop", "flaky")
        return [m.status for m in page.data]

    until(status, [models.MessageStatus.FAIL])
    failed = svix.message_attempt.list_by_endpoint(
        "shop", "flaky", MessageAttemptListByEndpointOptions(status=models.MessageStatus.FAIL)
    )
    assert {a.response_status_code for a in failed.data} == {500}
    stats = svix.endpoint.get_stats(
        "shop", "flaky", EndpointGetStatsOptions(since=since, until=datetime.now(UTC))
    )
    assert (stats.success, stats.fail) == (0, len(failed.data))
    answers["/flaky"] = [200]
    task = svix.endpoint.recover("shop", "flaky", models.RecoverIn(since=since))
    assert task.id.startswith("qtask_")
    until(status, [models.MessageStatus.SUCCESS])
    example = svix.endpoint.send_example(
        "shop", "flaky", models.EventExampleIn(event_type="order.paid")
    )
    until(lambda: [b for _, b in received_at("/flaky") if json.loads(b) == {"n": 1}])
    assert example.id != sent.id
    return since


def ended(svix, task):
    """A background task, once it has ended."""

    def found():
        return svix.background_task.get(task.id)

    until(lambda: found().status, models.BackgroundTaskStatus.FINISHED)
    return found()


def bulk_work(svix, url, since):
    options = BackgroundTaskListOptions(task=models.BackgroundTaskType.ENDPOINT_RECOVER, limit=1)
    (recovered,) = svix.background_task.list(options).data
    assert recovered.status == models.BackgroundTaskStatus.FINISHED
    assert data_of(recovered)["messagesSent"] == 1
    svix.endpoint.create("shop", models.EndpointIn(url=f"{url}/late", uid="late"))
    replay = models.ReplayIn(since=since)
    missing = ended(svix, svix.endpoint.replay_missing("shop", "late", replay))
    assert missing.task == models.BackgroundTaskType.ENDPOINT_REPLAY
    had = data_of(missing)["messagesSent"]
    assert had >= 2
    until(lambda: len(received_at("/late")), had)
    assert (
        data_of(ended(svix, svix.endpoint.replay_missing("shop", "late", replay)))["messagesSent"]
        == 0
    )
    if hasattr(svix.endpoint, "bulk_replay"):
        asked = models.BulkReplayIn(since=since, status=models.MessageStatus.SUCCESS)
        task = ended(svix, svix.endpoint.bulk_replay("shop", "late", asked))
        assert data_of(task)["messagesSent"] == had
        until(lambda: len(received_at("/late")), 2 * had)
    svix.endpoint.delete("shop", "late")
    task = ended(svix, svix.statistics.aggregate_event_types())
    assert task.task == models.BackgroundTaskType.EVENT_TYPE_AGGREGATE
    (wanted,) = data_of(task)["event_types"]
    assert wanted["hasCatchAllEndpoint"] is True
    usage = models.AppUsageStatsIn(since=since, until=datetime.now(UTC), app_ids=["shop", "none"])
    started = svix.statistics.aggregate_app_stats(usage)
    assert list(started.unresolved_app_ids) == ["none"]
    (row,) = data_of(ended(svix, started))["appStats"]
    assert (row["appUid"], row["messageDestinations"] > 0) == ("shop", True)
    if hasattr(svix.endpoint, "get_attempt_stats"):
        counted = svix.endpoint.get_attempt_stats("shop", "main")
        assert (counted.success > 0, counted.canceled) == (True, 0)


def expunging(svix):
    if hasattr(svix.message, "bulk_expunge_content"):
        listed = svix.message.list("shop").data
        asked = models.BulkExpungeContentsIn(ids=[listed[0].id, "none"])
        results = svix.message.bulk_expunge_content("shop", asked).results
        assert {name: str(getattr(r, "value", r)) for name, r in results.items()} == {
            listed[0].id: "expunged",
            "none": "not-found",
        }
    task = ended(svix, svix.message.expunge_all_contents("shop"))
    assert task.task == models.BackgroundTaskType.APPLICATION_PURGE_CONTENT
    assert data_of(task)["messagesPurged"] >= 1
    for message in svix.message.list("shop", MessageListOptions(with_content=True)).data:
        assert message.payload == {"expired": True}


def data_of(task):
    """A task's data; some versions have a model for it."""
    return task.data if isinstance(task.data, dict) else task.data.model_dump()


def listings(svix):
    everything = svix.message.list("shop").data
    assert len(everything) == 4
    seen, iterator = [], None
    while True:
        options = MessageListOptions(limit=1, iterator=iterator, with_content=False)
        page = svix.message.list("shop", options)
        seen += [m.id for m in page.data]
        iterator = page.iterator
        if page.done:
            break
    assert seen == [m.id for m in everything]
    tagged = svix.message.list("shop", MessageListOptions(tag="t", event_types=["order.paid"]))
    assert [m.event_id for m in tagged.data] == ["order-1"]


def access(svix, server_url):
    granted = svix.authentication.app_portal_access("shop", models.AppPortalAccessIn())
    assert granted.url.startswith(server_url)
    portal = Svix(granted.token, SvixOptions(server_url=server_url))
    assert portal.endpoint.list("shop").data
    assert refused(403, lambda: portal.application.list())
    if hasattr(svix.authentication, "dashboard_access"):
        assert svix.authentication.dashboard_access("shop").token
    assert refused(501, lambda: svix.integration.list("shop"))
    assert refused(401, lambda: Svix("x", SvixOptions(server_url=server_url)).application.list())
    svix.health.get()


def operational(svix, url):
    endpoint = svix.operational_webhook.endpoint
    given = models.OperationalWebhookEndpointIn(url=f"{url}/ops", uid="ops", metadata={"a": "b"})
    made = endpoint.create(given)
    assert (made.uid, made.metadata, made.disabled) == ("ops", {"a": "b"}, False)
    assert [one.id for one in endpoint.list().data] == [made.id]
    set_headers = getattr(endpoint, "set_headers", None) or endpoint.update_headers
    set_headers("ops", models.OperationalWebhookEndpointHeadersIn(headers={"X-Ops": "1"}))
    assert endpoint.get_headers("ops").headers == {"X-Ops": "1"}
    secret = endpoint.get_secret("ops").key
    answers["/dead"] = [500]
    dead = svix.endpoint.create("shop", models.EndpointIn(url=f"{url}/dead", uid="dead"))
    sent = svix.message.create("shop", models.MessageIn(event_type="order.paid", payload={"n": 9}))
    svix.endpoint.patch("shop", "dead", models.EndpointPatch(disabled=True))

    def told(name):
        bodies = [verified(secret, body, headers) for headers, body in received_at("/ops")]
        return [one["data"] for one in bodies if one["type"] == name]

    until(lambda: told("endpoint.disabled"))
    until(lambda: told("endpoint.created"))  # at least once, in no order
    assert {one["endpointId"] for one in told("endpoint.created")} == {dead.id}
    assert told("endpoint.disabled")[0]["trigger"] == "manual"
    assert received_at("/ops")[0][0]["x-ops"] == "1"
    svix.endpoint.patch("shop", "dead", models.EndpointPatch(disabled=False))
    until(lambda: sent.id in [one["msgId"] for one in told("message.attempt.exhausted")])
    assert told("message.attempt.exhausted")[0]["lastAttempt"]["responseStatusCode"] == 500
    endpoint.rotate_secret("ops", models.OperationalWebhookEndpointSecretIn())
    assert endpoint.get_secret("ops").key != secret
    after = replace(endpoint)(
        "ops", OperationalUpdate(url=f"{url}/ops", uid="ops", description="d")
    )
    assert (after.id, after.description, endpoint.get("ops").description) == (made.id, "d", "d")
    endpoint.delete("ops")
    assert endpoint.list().data == []
    svix.endpoint.delete("shop", "dead")


def later(svix):
    at = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    fields = {"event_type": "order.paid", "payload": {}}
    if "deliver_at" in models.MessageIn.model_fields:
        sent = svix.message.create("shop", models.MessageIn(deliver_at=at, **fields))
        assert sent.deliver_at == at
        soon = models.MessageIn(deliver_at=datetime.now(UTC), **fields)
        assert refused(422, lambda: svix.message.create("shop", soon), HTTPValidationError)
    if hasattr(svix.message, "precheck"):
        asked = models.MessagePrecheckIn(event_type="order.paid")
        assert svix.message.precheck("shop", asked).active
        assert not svix.message.precheck("empty", asked).active


def sessions(svix, server_url):
    if not hasattr(svix.authentication, "expire_all"):
        return

    def portal(**fields):
        token = svix.authentication.app_portal_access("shop", models.AppPortalAccessIn(**fields))
        return Svix(token.token, SvixOptions(server_url=server_url, retry_schedule=[]))

    one, other = portal(), portal()
    one.authentication.logout()
    assert refused(401, lambda: one.endpoint.list("shop"))
    assert other.endpoint.list("shop").data
    svix.authentication.expire_all("shop", models.ApplicationTokenExpireIn())
    assert refused(401, lambda: other.endpoint.list("shop"))
    assert portal().endpoint.list("shop").data


async def asynchronous(token, server_url):
    svix = SvixAsync(token, SvixOptions(server_url=server_url))
    message = models.MessageIn(
        event_type="order.paid",
        payload={},
        application=models.ApplicationIn(name="On the fly", uid="fly"),
    )
    sent = await svix.message.create("fly", message)
    assert (await svix.message.get("fly", sent.id)).id == sent.id


def main(server_url, token):
    receiver = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{receiver.server_port}"
    # No retries: what fails must fail here.
    svix = Svix(token, SvixOptions(server_url=server_url, retry_schedule=[]))
    applications(svix)
    event_types(svix)
    endpoint = endpoints(svix, url)
    sent, secret = first_delivery(svix, endpoint)
    raw_and_rotated(svix, secret)
    attempts(svix, sent, endpoint)
    since = failures(svix, url)
    listings(svix)
    bulk_work(svix, url, since)
    access(svix, server_url)
    operational(svix, url)
    svix.application.create(models.ApplicationIn(name="Empty", uid="empty"))
    later(svix)
    sessions(svix, server_url)
    asyncio.run(asynchronous(token, server_url))
    expunging(svix)
    print("done")


main(*sys.argv[1:])
