"""What came of attempts, and what dead letters died of, in words for people. Pure."""

from __future__ import annotations

from typing import Final, NamedTuple

from homing.core.lifecycle import DeadReason
from homing.core.outcome import Reason
from homing.core.records import Attempt


class Meaning(NamedTuple):
    """What a cause means."""

    what: str  #: a short title
    why: str  #: what happened, a sentence
    to_do: str  #: what helps


#: by the status of an answer: what a receiver does, and what helps
_STATUSES: Final = {
    400: ("finds the request malformed", "Compare the payload with what it expects."),
    401: ("refuses the credentials", "Compare the secret, or the headers, on both sides."),
    403: ("refuses the request", "A firewall or a wrong secret: who may call this URL?"),
    404: ("does not know this URL", "The path may have moved: look at the endpoint's URL."),
    405: ("does not take POST there", "The URL may be that of a page: look at it."),
    410: ("says that it is gone", "It wants no more of these, so its endpoint is disabled."),
    413: ("finds the body too large", "Let it take larger bodies, or send less."),
    429: ("asks for fewer at a time", "Give the endpoint a rate limit, and send again slowly."),
    500: ("fails to handle it", "The receiver's own log says what went wrong."),
    502: ("is not reached by its proxy", "What stands before it is up, and it is not."),
    503: ("is not available", "It may be overloaded or deploying: send again once it is back."),
    504: ("is too slow for its proxy", "It has to answer sooner: accept first, work later."),
}
#: by the first digit of any other status
_CLASSES: Final = {
    1: ("answers with no end", "It has to end its answer with a status from 200 to 299."),
    2: ("answers well, and too late", "The answer came after the delivery had been given up."),
    3: ("points elsewhere", "Redirects are not followed: give the endpoint the final URL."),
    4: ("refuses the request", "What it answers may say why."),
    5: ("fails", "The receiver's own log says what went wrong."),
}
_SLOW: Final = ("does not answer in time", "It has to answer sooner: accept first, work later.")
#: by what kept an answer from coming: what a receiver does, and what helps
_NO_ANSWER: Final = {
    Reason.DNS_FAILED: ("has a host without an address", "Look at the host in its URL."),
    Reason.ADDRESS_BLOCKED: (
        "has an address that is not allowed",
        "Endpoints may only be at public addresses, or at those that the operator allows.",
    ),
    Reason.CONNECT_REFUSED: ("does not listen", "Is it running, and on this port?"),
    Reason.CONNECT_FAILED: ("has a host that cannot be reached", "Is it up, and routed to?"),
    Reason.CONNECT_TIMEOUT: (
        "takes no connection in time",
        "A firewall may swallow it, or the host is down.",
    ),
    Reason.TLS_FAILED: (
        "makes no TLS connection to be trusted",
        "Look at its certificate, and its chain.",
    ),
    Reason.TLS_TIMEOUT: ("ends no TLS handshake in time", "It may be overloaded: is it well?"),
    Reason.FIRST_BYTE_TIMEOUT: _SLOW,
    Reason.IDLE_TIMEOUT: ("stops in the middle of its answer", "It may be overloaded: is it well?"),
    Reason.TOTAL_TIMEOUT: _SLOW,
    Reason.RESET: (
        "hangs up",
        "It, or a proxy before it, closes the connection without an answer.",
    ),
    Reason.GARBAGE: ("does not speak HTTP", "Look at host and port of its URL."),
    Reason.URL_INVALID: ("has no usable URL", "Correct the endpoint's URL."),
}
#: attempts whose end says nothing of the receiver
_OURS: Final = {
    Reason.OK: ("It took it", ""),
    Reason.SIGN_FAILED: ("It could not be signed", "Rotate the endpoint's secret."),
    Reason.NO_OUTCOME: ("Nobody knows what came of it", "The process that sent it ended."),
}
#: deaths that need no answer of the receiver to be understood
_DEATHS: Final = {
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


def explain(reason: Reason, status: int | None) -> tuple[str, str]:
    """What an outcome means, as a short sentence about the receiver, and what helps."""
    if reason in _OURS:
        return _OURS[reason]
    does, to_do = _NO_ANSWER.get(reason) or _answer(status or 0)
    return f"It {does}", to_do


def outcome_words(attempt: Attempt) -> str:
    """How an attempt ended, in the middle of a sentence: `status 500`, `it does not listen`."""
    if attempt.status is not None:
        return f"status {attempt.status}"
    what = explain(attempt.reason, None)[0]
    return what[:1].lower() + what[1:]


def meaning(reason: str, status: int | None, error: str) -> Meaning:
    """What dead letters died of.

    Args:
        reason: a `DeadReason`.
        status: of the last answer; None: there was none.
        error: the last error, as far as it is the same for all; it begins with its `Reason`.
    """
    if (known := _DEATHS.get(DeadReason(reason))) is not None:
        return known
    if status is not None:
        does, to_do = _answer(status)
        why = f"Every attempt was made; the last one was answered with the status {status}."
        return Meaning(f"The receiver {does} ({status})", why, to_do)
    word = error.partition(":")[0]
    if (found := {str(one): said for one, said in _NO_ANSWER.items()}.get(word)) is not None:
        does, to_do = found
        return Meaning(f"The receiver {does}", f"Every attempt was made; the last: {error}.", to_do)
    last = f" The last: {error}." if error else ""
    return Meaning(
        "The receiver could not be reached",
        f"Every attempt was made.{last}",
        "Is it running, and is the endpoint's URL right?",
    )


def _answer(status: int) -> tuple[str, str]:
    return _STATUSES.get(status) or _CLASSES.get(status // 100, _CLASSES[4])
