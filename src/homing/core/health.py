"""When an endpoint that does nothing but fail is warned about, and when it is disabled."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from homing.core.resources import Resource


class EndpointHealth(Resource, frozen=True, kw_only=True):
    """What is remembered of an endpoint's outcomes. Scope: the application; id: the endpoint's."""

    kind = "endpoint_health"

    #: the first failure since the last success; None while it is well
    failing_since_us: int | None = None
    warned_at_us: int | None = None


def blank_health(app_id: str, endpoint_id: str, at_us: int) -> EndpointHealth:
    """What is known of an endpoint that nothing is known of; version 0: not stored yet."""
    return EndpointHealth(
        scope=app_id, id=endpoint_id, version=0, created_at_us=at_us, updated_at_us=at_us
    )


class Verdict(StrEnum):
    """What the latest observations call for."""

    WELL = "well"
    FAILING = "failing"
    WARN = "warn"  #: say now that it will be disabled
    DISABLE = "disable"


class Observed(msgspec.Struct, kw_only=True):
    """What one process saw of an endpoint since it last wrote that down."""

    succeeded_at_us: int | None = None  #: the latest success
    #: the first failure after the latest success
    failed_at_us: int | None = None

    def add(self, at_us: int, *, succeeded: bool) -> None:
        """One more outcome."""
        if succeeded:
            self.succeeded_at_us = at_us
            self.failed_at_us = None
        elif self.failed_at_us is None:
            self.failed_at_us = at_us

    def then(self, later: Observed) -> Observed:
        """This and what was seen after it."""
        if later.succeeded_at_us is not None:
            return later
        failed_at_us = later.failed_at_us if self.failed_at_us is None else self.failed_at_us
        return Observed(succeeded_at_us=self.succeeded_at_us, failed_at_us=failed_at_us)


def judge(
    known: EndpointHealth, observed: Observed, *, at_us: int, disable_after_s: float
) -> tuple[EndpointHealth, Verdict]:
    """What to remember after these observations, and what to do.

    Args:
        known: as stored; its version is left alone.
        at_us: now.
        disable_after_s: how long nothing but failure is borne, in seconds, > 0; it is announced at
            half of that. Where attempts are rare the announcement comes with the next one, and
            there is always a quarter of the span between the two.
    """
    since_us = known.failing_since_us
    if observed.succeeded_at_us is not None:
        since_us = None
    if since_us is None:
        since_us = observed.failed_at_us
    warned_at_us = known.warned_at_us if since_us == known.failing_since_us else None
    if since_us is None:
        after = msgspec.structs.replace(known, failing_since_us=None, warned_at_us=None)
        return after, Verdict.WELL
    verdict = Verdict.FAILING
    failing_s = (at_us - since_us) / 1_000_000
    if warned_at_us is None:
        if failing_s >= disable_after_s / 2:
            verdict = Verdict.WARN
            warned_at_us = at_us
    elif failing_s >= disable_after_s and at_us - warned_at_us >= disable_after_s * 250_000:
        verdict = Verdict.DISABLE
    after = msgspec.structs.replace(known, failing_since_us=since_us, warned_at_us=warned_at_us)
    return after, verdict
