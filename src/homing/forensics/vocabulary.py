"""The words of delivery logs: what other systems call our fields, operations and states. Pure."""

from __future__ import annotations

import functools
import re
import unicodedata
from typing import Final

from homing.forensics.languages import FOREIGN
from homing.forensics.operations import RESULT_OF_OP, STAND_OF_OP, UNKNOWN, Op, Stand, Word
from homing.forensics.phrases import PHRASES

_W = Word
#: pattern of the normalised word → meaning; the first that matches counts, if no phrase does
_WORDS: Final[tuple[tuple[str, Word], ...]] = (
    (
        r"un_?success|^again$|(^|_)broke$|not_deliver|undeliver|non_?2xx|(^|_)nok$|[45]xx",
        _W(Op.FAILED, Stand.FAILED, -1),
    ),
    (
        r"(send|request|attempt|deliver\w*|dispatch|http|call|post|push)_?\w*_?(start|begin|began|begun|init|open)|"
        r"(start|begin|began)_\w*(send|request|attempt|deliver|dispatch|call|post)|^request(_sent)?$|"
        r"http_(request|post|send)|^(post|put)_(?!back|\w*(fail|error|_ok$|_done$))\w+|^(sending|delivering|posting|calling)(_(the|delivery|webhook|job|message|"
        r"request|event|notification|attempt|to|for|http|post|endpoint))*$|(request|attempt|call)_(was_)?(sent|submitted|issued)",
        _W(Op.SENT, Stand.LEASED),
    ),
    (
        r"(attempt|request|call|http|try|response)_(\w+_)?(finish|complet|end|done|receiv)(ed|s)?$",
        _W(Op.ATTEMPTED, Stand.NONE),
    ),
    (
        r"fail|error|(^|_)threw(_|$)|(^|_)raised(_|$)|could_not|unable_to|time[d_]*out|unreachable|refus|reset|reject|exception|crash|bad_|bounce|denied|"
        r"negative|unavailable|^ko$|^no$|^false$|broken|unacknowledged",
        _W(Op.FAILED, Stand.FAILED, -1),
    ),
    (
        r"succe|deliver(ed|y_ok)|(^|_)ok(ay)?$|complet|(^|_)done|fulfil|finish|(^|_)ack(ed|nowledg\w*)?$|confirm|"
        r"settled|^yes$|^true$|^2xx$|processed$|handled$|resolved|arrived|closed|^good$|passed",
        _W(Op.SUCCEEDED, Stand.DELIVERED, 1),
    ),
    (
        r"respon|result|outcome|callback|(^|_)answer(ed)?(_(in|with|after|within))?$|(^|_)attempt(ed)?$|attempt_(end|finish|log)|http_(response|result)|"
        r"delivery_attempt$|^try$|^tried$",
        _W(Op.ATTEMPTED, Stand.NONE),
    ),
    (
        r"^(claimed|picked|took|locked|leased|acquired|reserved|dequeued)_",
        _W(Op.CLAIMED, Stand.LEASED),
    ),
    (
        r"(^|_)(accepted|ingested|received)_(for|as|from|by|into)_",
        _W(Op.ACCEPTED, Stand.WAITING),
    ),
    (
        r"enqueu|(^|_)queue|(^|_)(in)?to_(the_)?pool|lined_up|publish\w*_(to|queue)|pushed|push$|listed|fan_?out|"
        r"outbox|handed|polled_(in|row)|"
        r"deliver\w*_creat|creat\w*_deliver|row_(insert|creat)|job_(creat|insert|added)",
        _W(Op.QUEUED, Stand.WAITING),
    ),
    (
        r"accept|receiv(?!er)|ingest|creat|publish|insert|(^|_)new$|(^|_)born|submit|emit|occur|regist|(^|_)add(ed)?$|"
        r"arriv|captur|initial|stored|intake|event_in|recorded",
        _W(Op.ACCEPTED, Stand.WAITING),
    ),
    (
        r"releas|unlock|un_?claim|(give|gave|given|put|hand|handed)_?back|let_go|yield",
        _W(Op.RELEASED, Stand.WAITING),
    ),
    (
        r"pend|wait|schedul|ready|^rdy$|(^|_)due|idle|backlog|(^|_)open$|todo|retryable|outstanding|not_started",
        _W(Op.QUEUED, Stand.WAITING),
    ),
    (
        r"claim|leas|lock|pick|^performing|(^|_)tak(e|en)|took|(^|_)b?r?pop|dequeu|acquir|reserv|process|start|running|"
        r"in_?flight|in_?progress|(^|_)(run|grab(bed)?)$|work|execut|fetch|assign|active|busy|consum|checked_?out|begin|began|poll",
        _W(Op.CLAIMED, Stand.LEASED),
    ),
    (
        r"(^|_)sen[dt]($|_)|dispatch|deliver(y)?$|attempt|(^|_)post(ed)?$|request|(^|_)call(ed)?$|transmit",
        _W(Op.SENT, Stand.LEASED),
    ),
    (
        r"writ|updat|persist|save|commit|cas|state|transition|set_|mark|chang",
        _W(Op.WRITTEN, Stand.NONE),
    ),
    (r"expir|too_old|outdated|stale", _W(Op.PURGED, Stand.GONE)),
)
#: words of states cut to three or four letters, as columns of short keys have them
_SHORT: Final = (
    (r"^(que|enq|qd|pnd|sch|schd)$|^rty_enq$", _W(Op.QUEUED, Stand.WAITING)),
    (r"^acc$", _W(Op.ACCEPTED, Stand.WAITING)),
    (r"^(rty|rtry)$", _W(Op.RETRY, Stand.WAITING)),
    (r"^(lse|lck|vis)_exp$", _W(Op.LAPSED, Stand.NONE)),
    (r"^(try|att|req)_ok$", _W(Op.SUCCEEDED, Stand.DELIVERED, 1)),
    (r"^(try|att|req)_err$", _W(Op.FAILED, Stand.FAILED, -1)),
    (r"^(try|att|res)_old$", _W(Op.NOTED, Stand.NONE)),
    (r"^q_back$", _W(Op.RELEASED, Stand.WAITING)),
    (r"^(clm|clmd|lsd|prc|proc|wrk|wip)$", _W(Op.CLAIMED, Stand.LEASED)),
    (r"^(dlv|dlvd|dlvrd|delv|succ?|suc|dne)$", _W(Op.SUCCEEDED, Stand.DELIVERED, 1)),
    (r"^(fld|err|rej)$", _W(Op.FAILED, Stand.FAILED, -1)),
    (r"^(cxl|cxld|cncl|cncld|cnl)$", _W(Op.CANCELLED, Stand.CANCELLED)),
    (r"^(dsc|dscd|drp|drpd)$", _W(Op.DISCARDED, Stand.GONE)),
    (
        r"^(skp|skpd|(acc_)?dup|(clm|lck|lse|claim|lock|lease)_(already_)?(held|busy|taken))$",
        _W(Op.SKIPPED, Stand.GONE),
    ),
)
#: whole words of one system: Celery's hand-over to its queue, Temporal's time of a turn, and the calls of
#: SQS, where a message is deleted when it is done
_WHOLE: Final = {
    # the names of two things say nothing of what happened to them
    "event_delivery": _W(Op.UNKNOWN, Stand.NONE),
    "task_sent": _W(Op.ACCEPTED, Stand.WAITING),
    "activity_task_timed_out": _W(Op.LAPSED, Stand.NONE),
    "send_message": _W(Op.QUEUED, Stand.WAITING),
    "receive_message": _W(Op.CLAIMED, Stand.LEASED),
    "delete_message": _W(Op.SUCCEEDED, Stand.DELIVERED, 1),
    "change_message_visibility": _W(Op.RETRY, Stand.WAITING),
}
_COMPILED: Final = tuple(
    (re.compile(pattern), word) for pattern, word in (*_SHORT, *FOREIGN, *PHRASES, *_WORDS)
)


_LETTERS: Final = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"}
)


@functools.lru_cache(maxsize=200_000)
def normal(text: str) -> str:
    """`leaseExpired`, `Lease-Expired` and `lease expired` are all `lease_expired`; `Événement` is
    `evenement` and `nächster` is `naechster`."""
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text.translate(_LETTERS))
        text = "".join(one for one in text if not unicodedata.combining(one))
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text.strip())
    return re.sub(r"[^0-9a-z]+", "_", spaced.lower()).strip("_")


#: in a sentence: places for values, and which attempt it is
_ASIDE: Final = re.compile(r"\{[^{}]*\}|[,;(:]\s*attempt\b.*$", re.IGNORECASE)
#: what the spans of a service are called by, `dispatch.settle`
_SPACE: Final = re.compile(r"^(?:dispatch(?:es)?|webhooks?)\.(?=[a-z])")
#: `state NEW -> SENDING`: what counts is where it leads
_CHANGE: Final = re.compile(r"^.*\w[\])'\"]*\s*(?:->|=>|→)\s*(?=\w)")


@functools.lru_cache(
    maxsize=200_000
)  # each is asked for by many rules, and some logs have thousands
def meaning(text: str | None, *, is_state: bool = False) -> Word:
    """What a word of a log means, by itself; UNKNOWN if it cannot be told.

    Args:
        is_state: it names where a delivery stands: `sent` is then an end, not a beginning.
    """
    if not text:
        return UNKNOWN
    text = _ASIDE.sub(" ", text)
    text = _SPACE.sub("", text)
    if _CHANGE.match(text):
        text, is_state = _CHANGE.sub("", text), True
    word = normal(text)
    if word in _WHOLE:
        return _WHOLE[word]
    # a prefix such as "webhook.delivery." says nothing about what happened
    word = re.sub(
        r"^((web)?hooks?|delivery|deliveries|job|task|msg|message|event|notification|status|state|outbox|dispatcher|dlv)"
        # unless it is that which is gone
        r"_(?!(does_not|doesn_t|did_not|no_longer)_exist|(is_|was_)?(gone|missing)(_|$)|not_found|vanished|disappeared)(?=[a-z])",
        "",
        word,
    )
    if is_state and word in ("sent", "posted", "dispatched", "transmitted"):
        return Word(Op.SUCCEEDED, Stand.DELIVERED, 1)
    if is_state and word in ("attempted", "tried"):
        return Word(Op.FAILED, Stand.FAILED, -1)
    if is_state and word in ("accepted", "received", "created", "new", "published", "queued"):
        return Word(Op.QUEUED, Stand.WAITING)
    for pattern, found in _COMPILED:
        if pattern.search(word):
            return found
    return UNKNOWN


_PROVISIONAL: Final = re.compile(r"(en)?queued|pending|provisional|interim|in_progress|processing")


def is_provisional(outcome: str | None) -> bool:
    """Whether an answer with this outcome is none yet: whoever gave it has only put the request by."""
    return bool(outcome) and _PROVISIONAL.fullmatch(normal(str(outcome))) is not None


_AWAITS: Final = re.compile(r"(a?wait\w*|pending)_(for_)?(callback|confirm\w*|receipt|ack\w*)")


def awaits_callback(state: str | None) -> bool:
    """Whether what a delivery comes to in this state is told by its receiver, after the answer."""
    return bool(state) and _AWAITS.fullmatch(normal(str(state))) is not None


#: words that may be declared in a mapping, and what they stand for
DECLARED: Final = {op.name.lower(): op for op in Op} | {
    "leased": Op.CLAIMED,
    "waiting": Op.QUEUED,
    "pending": Op.QUEUED,
    "delivered": Op.SUCCEEDED,
}


def declared(name: str) -> Word | None:
    """The meaning of a canonical word used in a mapping; None if there is no such word."""
    op = DECLARED.get(normal(name))
    if op is None:
        return None
    return Word(op, STAND_OF_OP.get(op, Stand.NONE), RESULT_OF_OP.get(op, 0))
