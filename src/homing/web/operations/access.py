"""`/auth`: tokens for one application."""

from __future__ import annotations

from typing import Any

from homing.core.errors import NotFound
from homing.service import applications
from homing.service.messages import ensure_application
from homing.web.operation import Answer, Call, answer, operation
from homing.web.operations.applications import ApplicationIn
from homing.web.wire import NoQuery, Wire

_TAG = "Authentication"


class AppPortalAccessIn(Wire, kw_only=True):
    """What the token is for."""

    application: ApplicationIn | None = None
    feature_flags: list[str] | None = None


class AppPortalAccessOut(Wire, kw_only=True):
    """A token for one application, valid for 28 days, and the address of this server for it."""

    url: str
    token: str


async def _grant(call: Call[Any, Any]) -> Answer:
    app = call.path["app_id"]
    if call.body is not None and call.body.application is not None:
        try:
            await applications.find_application(call.service, call.caller, app)
        except NotFound:
            await ensure_application(call.service, call.caller, app, call.body.application.draft())
    token = await applications.application_token(call.service, call.caller, app)
    # There is no portal to link to: this is the server that the token is good for.
    return answer(200, AppPortalAccessOut(url=f"{call.base_url}/#key={token}", token=token))


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


OPERATIONS = (app_portal_access, dashboard_access)
