"""Why deliveries are given up, and what to look at, in words for people. Pure."""

from __future__ import annotations

from typing import Final, NamedTuple

from homing.core.lifecycle import DeadReason
from homing.core.outcome import Reason


class Meaning(NamedTuple):
    """What a cause means."""

    what: str  #: a short title
    why: str  #: what happened, a sentence
    to_do: str  #: what helps


_REASONS: Final = {
    DeadReason.DNS_FAILED: Meaning(
        "Its host has no address",
        "The name in the endpoint's URL could not be looked up.",
        "Check the URL of the endpoint; somebody may have mistyped or removed the name.",
    ),
    DeadReason.TLS_INVALID: Meaning(
        "Its certificate cannot be trusted",
        "The receiver's TLS certificate is not valid, or no secure connection came about.",
        "Ask the receiver to renew the certificate; nothing was sent to a host that cannot prove "
        "who it is.",
    ),
    DeadReason.SSRF_BLOCKED: Meaning(
        "Its address is not allowed",
        "The endpoint's URL leads to an address that Homing may not call.",
        "Correct the URL, or allow the network in Homing's settings (HOMING_EGRESS_ALLOW).",
    ),
    DeadReason.SIGN_FAILED: Meaning(
        "It could not be signed",
        "The endpoint has no key that Homing can open, so nothing could be signed.",
        "Give Homing the secret that the key was sealed with, or rotate the endpoint's secret.",
    ),
    DeadReason.POISON_WORKER_CRASH: Meaning(
        "Nobody lived to tell what came of it",
        "Processes that tried to send it ended before they could write down the outcome.",
        "Look at the log of Homing at these times; a redrive tries it again.",
    ),
    DeadReason.PAYLOAD_GONE: Meaning(
        "Its payload is gone",
        "The payload was removed before it could be delivered, so there is nothing to send.",
        "Nothing can be sent again; discard these with the reason.",
    ),
}
_STATUSES: Final = {
    400: ("refuses what is sent", "It finds the request malformed: compare the payload's form."),
    401: ("refuses the credentials", "Compare the signing secret, or the headers, on both sides."),
    403: ("refuses the request", "A firewall or a wrong secret: ask who may call this URL."),
    404: ("does not know this URL", "The path may have moved: check the endpoint's URL."),
    405: ("does not take POST here", "The URL may be that of a page: check the endpoint's URL."),
    410: ("says that it is gone", "It wants no more of these: disable the endpoint or change it."),
    413: ("finds it too large", "Let it take larger bodies, or send less."),
    429: ("asks for fewer at a time", "Give the endpoint a rate limit, and redrive slowly."),
    500: ("fails to handle it", "The receiver's own log says what went wrong, at the times below."),
    502: ("is not reached by its proxy", "What stands before it is up, and it is not."),
    503: ("is not available", "It may be overloaded or deploying: redrive once it is back."),
    504: ("is too slow for its proxy", "It has to answer sooner: accept first, work later."),
}
_CLASSES: Final = {
    1: ("answers with no end", "It has to end its answer with a status from 200 to 299."),
    2: ("answers well, and too late", "The answer came after the delivery had been given up."),
    3: ("points elsewhere", "Redirects are not followed: give the endpoint the final URL."),
    4: ("refuses the request", "What it answered, below, may say why."),
    5: ("fails", "The receiver's own log says what went wrong, at the times below."),
}
_SLOW: Final = ("does not answer in time", "It has to answer sooner: accept first, work later.")
#: by the word that the last error begins with
_ERRORS: Final = {
    Reason.CONNECT_REFUSED: ("does not listen", "Nothing takes connections there: is it running?"),
    Reason.CONNECT_TIMEOUT: (
        "takes no connection in time",
        "A firewall may swallow it, or the host is down.",
    ),
    Reason.TLS_TIMEOUT: ("ends no TLS handshake in time", "It may be overloaded: is it well?"),
    Reason.FIRST_BYTE_TIMEOUT: _SLOW,
    Reason.IDLE_TIMEOUT: ("stops in the middle of its answer", "It may be overloaded: is it well?"),
    Reason.TOTAL_TIMEOUT: _SLOW,
    Reason.RESET: (
        "hangs up",
        "It, or a proxy before it, closes the connection without an answer.",
    ),
    Reason.GARBAGE: ("does not speak HTTP", "Check host and port of the endpoint's URL."),
    Reason.URL_INVALID: ("has no usable URL", "Correct the endpoint's URL."),
}


def meaning(reason: str, status: int | None, error: str) -> Meaning:
    """What dead letters died of.

    Args:
        reason: a `DeadReason`.
        status: of the last answer; None: there was none.
        error: the last error, as far as it is the same for all.
    """
    if (known := _REASONS.get(DeadReason(reason))) is not None:
        return known
    if status is not None:
        does, to_do = _STATUSES.get(status) or _CLASSES.get(status // 100, _CLASSES[4])
        why = f"Every attempt was made; the last one was answered with the status {status}."
        return Meaning(f"The receiver {does} ({status})", why, to_do)
    word = error.partition(":")[0]
    if word in _ERRORS:
        does, to_do = _ERRORS[Reason(word)]
        why = f"Every attempt was made; the last: {error}."
        return Meaning(f"The receiver {does}", why, to_do)
    last = f" The last: {error}." if error else ""
    return Meaning(
        "The receiver could not be reached",
        f"Every attempt was made.{last}",
        "Is it running, and is the endpoint's URL right?",
    )
