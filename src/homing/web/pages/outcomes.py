"""What came of attempts, and how endpoints are, in words for people. Pure."""

from __future__ import annotations

from typing import Final

from homing.core.outcome import Reason
from homing.core.records import Attempt
from homing.insight.endpoints import Condition

#: kind of badge and words of each condition
_BADGES: Final = {
    Condition.FAILING: ("bad", "Failing"),
    Condition.BREAKER_OPEN: ("warn", "Not answering"),
    Condition.PARKED: ("off", "Parked"),
    Condition.DISABLED: ("off", "Disabled"),
    Condition.FINE: ("good", "Fine"),
    Condition.QUIET: ("wait", "Quiet"),
}
#: what happened, and what helps
_REASONS: Final = {
    Reason.DNS_FAILED: ("Its name could not be looked up", "Check the host in the URL."),
    Reason.ADDRESS_BLOCKED: (
        "Its address is not allowed",
        "Endpoints may only be at public addresses, or at those that the operator allows.",
    ),
    Reason.CONNECT_REFUSED: ("Nothing listens there", "Is the receiver running, on this port?"),
    Reason.CONNECT_FAILED: ("Its host cannot be reached", "Is the host up, and routed to?"),
    Reason.CONNECT_TIMEOUT: ("No connection in time", "A firewall may swallow it."),
    Reason.TLS_FAILED: ("No trusted TLS connection", "Look at its certificate, and its chain."),
    Reason.TLS_TIMEOUT: ("No TLS handshake in time", "It may be overloaded."),
    Reason.FIRST_BYTE_TIMEOUT: ("No answer in time", "Accept first, work later."),
    Reason.IDLE_TIMEOUT: ("Its answer stalled", "It may be overloaded."),
    Reason.TOTAL_TIMEOUT: ("Its answer took too long", "Accept first, work later."),
    Reason.RESET: ("It hung up", "It, or a proxy before it, closes the connection early."),
    Reason.GARBAGE: ("Its answer is not HTTP", "Check host and port of the URL."),
    Reason.URL_INVALID: ("Its URL cannot be used", "Correct the URL."),
    Reason.SIGN_FAILED: ("It could not be signed", "Rotate the endpoint's secret."),
    Reason.NO_OUTCOME: ("Nobody knows what came of it", "The process that sent it ended."),
}
_STATUSES: Final = {
    400: ("It finds the request malformed", "Compare the payload with what it expects."),
    401: ("It refuses the credentials", "Compare the secret, or the headers, on both sides."),
    403: ("It refuses the request", "A firewall or a wrong secret: who may call this URL?"),
    404: ("It does not know this URL", "The path may have moved."),
    405: ("It does not take POST there", "The URL may be that of a page."),
    410: ("It says that it is gone", "It wants no more of these: it is disabled."),
    413: ("It finds the body too large", "Let it take larger bodies, or send less."),
    429: ("It asks for fewer at a time", "Give the endpoint a rate limit."),
    500: ("It fails to handle the request", "Its own log says why."),
    502: ("Its proxy does not reach it", "What stands before it is up, and it is not."),
    503: ("It is not available", "It may be overloaded, or deploying."),
    504: ("It is too slow for its proxy", "Accept first, work later."),
}
_CLASSES: Final = {
    1: ("Its answer has no end", "It has to end with a status from 200 to 299."),
    3: ("It points elsewhere", "Redirects are not followed: use the final URL."),
    4: ("It refuses the request", "What it answers may say why."),
    5: ("It fails", "Its own log says why."),
}


def badge_of(condition: Condition) -> tuple[str, str]:
    """The kind of badge, and its words."""
    return _BADGES[condition]


def outcome_words(attempt: Attempt) -> str:
    """How an attempt ended, in the middle of a sentence: `status 500`, `nothing listens there`."""
    if attempt.status is not None:
        return f"status {attempt.status}"
    what = explain(attempt.reason, None)[0]
    return what[:1].lower() + what[1:]


def explain(reason: Reason, status: int | None) -> tuple[str, str]:
    """What an outcome means, and what helps."""
    if reason is Reason.OK:
        return "It took it", ""
    if reason is Reason.STATUS and status is not None:
        return _STATUSES.get(status) or _CLASSES.get(status // 100, _CLASSES[4])
    return _REASONS.get(reason, (str(reason), ""))
