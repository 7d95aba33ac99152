"""`/auth`: tokens for one application."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from homing.core.errors import NotFound
from homing.service import applications, sessions
from homing.service.messages import ensure_application
from homing.service.tokens import APP_TOKEN_S
from homing.web.operation import NO_CONTENT, Answer, Call, answer, operation
from homing.web.operations.applications import ApplicationIn
from homing.web.schemas import END, NoQuery, Schema, distinct, matching

_TAG = "Authentication"
#: the page of the portal that takes the token
ENTER = "/portal/enter"

Capability = Literal[
    "ViewBase",
    "ViewEndpointSecret",
    "ManageEndpointSecret",
    "ManageTransformations",
    "CreateAttempts",
    "ManageEndpoint",
]
#: what a token for an application may do; the second of them includes to view the secret, and
#: there are no transformations to manage
_ALL = frozenset({"ManageEndpoint", "ManageEndpointSecret", "CreateAttempts"})


SessionId = Annotated[
    str,
    matching(
        r"^[a-zA-Z0-9@_-]+" + END,
        "letters (a to z), digits and any of @ _ -",
        min_length=1,
        max_length=64,
    ),
]


class AppPortalAccessIn(Schema, kw_only=True):
    """What the token is for."""

    application: ApplicationIn | None = None
    feature_flags: list[str] | None = None
    #: how long it is valid, seconds; 28 days unless given
    expiry: Annotated[int, Meta(ge=3_600, le=APP_TOKEN_S)] | None = None
    capabilities: list[Capability] | None = None
    session_id: SessionId | None = None  # by which it can be ended together with others
    read_only: bool | None = None  # the older SDKs' name of capabilities: ["ViewBase"]

    def may_only_read(self) -> bool:
        """Whether less was asked for than all that a token for an application may do.

        There is nothing in between: whoever names capabilities, and not all, gets the smaller.
        """
        if self.capabilities is not None:
            return not _ALL.issubset(self.capabilities)
        return bool(self.read_only)


class ApplicationTokenExpireIn(Schema, kw_only=True):
    """Which tokens of an application to end, and when."""

    #: how long they are still good, seconds; none unless given
    expiry: Annotated[int, Meta(ge=0, le=259_200)] | None = None
    #: only those made with one of these; none, or an empty list: all
    session_ids: Annotated[list[SessionId], Meta(max_length=1_000)] | None = None


class AppPortalAccessOut(Schema, kw_only=True):
    """A token for one application, and the link that opens its portal with it."""

    url: str
    token: str


async def _grant(call: Call[Any, Any]) -> Answer:
    app = call.path["app_id"]
    asked: AppPortalAccessIn = call.body or AppPortalAccessIn()
    if asked.application is not None:
        try:
            await applications.find_application(call.service, call.caller, app)
        except NotFound:
            await ensure_application(call.service, call.caller, app, asked.application.draft())
    token = await applications.application_token(
        call.service,
        call.caller,
        app,
        valid_s=asked.expiry or APP_TOKEN_S,
        read_only=asked.may_only_read(),
        session=asked.session_id,
    )
    # What is behind the # is not sent to any server, so the token is in nobody's log.
    return answer(200, AppPortalAccessOut(url=f"{call.base_url}{ENTER}#key={token}", token=token))


@operation(
    "POST",
    "/auth/app-portal-access/{app_id}",
    "v1.authentication.app-portal-access",
    "Make a token that may do what concerns one application",
    tag=_TAG,
    body=AppPortalAccessIn,
    answers={200: AppPortalAccessOut},
    org_only=True,
    keeps_reply=False,
)
async def app_portal_access(call: Call[NoQuery, AppPortalAccessIn]) -> Answer:
    return await _grant(call)


@operation(
    "POST",
    "/auth/dashboard-access/{app_id}",
    "v1.authentication.dashboard-access",
    "Make a token that may do what concerns one application (the older path)",
    tag=_TAG,
    answers={200: AppPortalAccessOut},
    org_only=True,
    keeps_reply=False,
    deprecated=True,
)
async def dashboard_access(call: Call[NoQuery, None]) -> Answer:
    return await _grant(call)


@operation(
    "POST",
    "/auth/app/{app_id}/expire-all",
    "v1.authentication.expire-all",
    "End every token of an application that was made so far, or those of some sessions",
    tag=_TAG,
    body=ApplicationTokenExpireIn,
    answers={204: None},
    org_only=True,
)
async def expire_all(call: Call[NoQuery, ApplicationTokenExpireIn]) -> Answer:
    await sessions.expire_all(
        call.service,
        call.caller,
        call.path["app_id"],
        after_s=call.body.expiry or 0,
        sessions=distinct(call.body.session_ids),
    )
    return NO_CONTENT


@operation(
    "POST",
    "/auth/logout",
    "v1.authentication.logout",
    "End the token of an application that this is asked with",
    tag=_TAG,
    answers={204: None},
    for_readers=True,
    keeps_reply=False,
)
async def logout(call: Call[NoQuery, None]) -> Answer:
    await sessions.log_out(call.service, call.caller, call.token)
    return NO_CONTENT


OPERATIONS = (app_portal_access, dashboard_access, expire_all, logout)
