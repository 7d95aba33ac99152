"""What a line of text names: its time, its pairs, its ids, and the sentence that is left. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NamedTuple

from homing.forensics.letters import LETTERS
from homing.forensics.machines import NO_PERSON
from homing.forensics.operations import Op
from homing.forensics.reading.framed import ruby_head, with_plain_models
from homing.forensics.vocabulary import meaning

Found = dict[str, str]

_PAIR: Final = re.compile(
    r"""(?<![\w.&?])([A-Za-z_@][\w.\-]*)=("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|"""
    # a time has a space in it
    r"""\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d)(?![\w:]))?|"""
    r"""[^\s,;)\]}]*)"""
)
_MONTHS: Final = re.findall("...", "JanFebMarAprMayJunJulAugSepOctNovDec")
_MONTH: Final = "(?:" + "|".join(_MONTHS) + ")"
_ZONE: Final = r"(?: ?(?:(?:Z|UTC|GMT)(?!\w)|[+-]\d\d:?\d\d(?![\w:])))?"
#: a stamp begins within so many characters of its line
_STAMP_WITHIN: Final = 120


def _slashed(text: str) -> str:
    return text.replace("/", "-")


def _basic(text: str) -> str:
    day, _, time = text.partition("T")
    return f"{day[:4]}-{day[4:6]}-{day[6:]}T{time[:2]}:{time[2:4]}:{time[4:]}".replace(",", ".")


def _common(text: str) -> str:
    day, month, rest = text.split("/", 2)
    year, time = rest.split(":", 1)
    return f"{year}-{_MONTHS.index(month) + 1:02}-{int(day):02}T{time.replace(' ', '')}"


def _apache(text: str) -> str:
    _, month, day, time, year = text.split()
    return f"{year}-{_MONTHS.index(month) + 1:02}-{int(day):02}T{time}"


def _no_year(text: str) -> str:
    month, day, time = text.split()
    return f"{NO_YEAR}-{_MONTHS.index(month) + 1:02}-{int(day):02}T{time}"


#: the year of a time that names none, until `with_year` gives it one; a leap year
NO_YEAR: Final = "0004"
#: a time in seconds or milliseconds is one at the head of a line, or after its level (`I`, `WARN`)
_AFTER_LEVEL: Final = r"(?:^|(?<=^[A-Z] )|(?<=^[A-Z]{4} )|(?<=^[A-Z]{5} )|(?<=^[A-Z]{4}  ))"
#: how a line says its time, the most exact first, and how that is written in ISO 8601
_STAMPS: Final[tuple[tuple[re.Pattern[str], Callable[[str], str]], ...]] = (
    (
        re.compile(rf"\d{{4}}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:(?:\.\d+|,\d+(?![\w-])))?)?{_ZONE}"),
        str,
    ),
    (re.compile(r"(?<!\d)20\d{6}T\d{6}(?:[.,]\d+)?(?:Z|[+-]\d{4})?(?!\w)"), _basic),
    (re.compile(rf"\d\d/{_MONTH}/\d{{4}}:\d\d:\d\d:\d\d(?:\.\d+)?(?: [+-]\d{{4}})?"), _common),
    (re.compile(r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d(?:[.,]\d+)?"), _slashed),
    (
        re.compile(rf"[A-Z][a-z]{{2}} {_MONTH} [ \d]\d \d\d:\d\d:\d\d(?:\.\d+)? \d{{4}}"),
        _apache,
    ),
    (re.compile(rf"{_MONTH} [ \d]\d \d\d:\d\d:\d\d(?:\.\d+)?"), _no_year),
    (re.compile(rf"{_AFTER_LEVEL}(?:\d{{10}}(?:\.\d+)?|\d{{13}})(?=\s)"), str),
)
#: no time is shorter: ten digits
_STAMP_LENGTH: Final = 10
#: between the time by which a collector took a line and its own
_BEFORE_STAMP: Final = re.compile(r"\s*(?:\S+\s+){0,3}[\[(]?")
_SYSLOG: Final = re.compile(
    # a level before a logger is no host: `INFO worker.sender: sent`
    r"^\s*(?!(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|FATAL|CRITICAL) )"
    r"(?P<host>[\w.:-]+) (?P<program>[\w./-]+)(?:\[(?P<pid>\d+)\])?: "
)
_SYSLOG_5424: Final = re.compile(
    r"^\s*(?P<host>\S+) (?P<program>\S+) (?P<pid>\S+) (?P<msgid>\S+) (?=\[|-)"
)
_PRIORITY: Final = re.compile(r"^<\d{1,3}>(\d )?")


_IN_PAIR: Final = re.compile(r"""=["']?$""")


class Stamp(NamedTuple):
    """The time of a line, and what else it says before its text."""

    iso: str
    head: Found
    rest: str


def stamped(line: str) -> Stamp | None:
    """The time at the head of a line, and the line without it; None if there is none."""
    head = line[: _STAMP_WITHIN + 40]
    for pattern, to_iso in _STAMPS:
        found = pattern.search(head)
        if found and _is_of_line(head, found):
            try:
                iso = to_iso(found[0])
            except ValueError:
                continue
            before, after = line[: found.start()], line[found.end() :]
            if ruby := ruby_head(before, after):
                return Stamp(iso, *ruby)
            is_numbered = _PRIORITY.match(line)
            before = re.sub(r"[\[(]$", "", _PRIORITY.sub("", before))
            after = re.sub(r"^\s*[\])]", "", after)
            said: Found = {}
            syslog = (_SYSLOG_5424 if is_numbered and is_numbered[1] else _SYSLOG).match(after)
            if syslog and not before.strip():
                said = {k: v for k, v in syslog.groupdict().items() if v and v != "-"}
                after = after[syslog.end() :]
                if "msgid" in said:
                    after = f"{said.pop('msgid')} {after}"
            return Stamp(iso, said, f"{before} {after}".strip())
    return None


def _is_of_line(head: str, found: re.Match[str]) -> bool:
    """Whether a time is the line's own: not one that its sentence speaks of, behind an earlier one."""
    if found.start() > _STAMP_WITHIN or _IN_PAIR.search(head[: found.start()]):
        return False
    if found.start() < _STAMP_LENGTH:  # another has no room before it
        return True
    others = (pattern.search(head) for pattern, _ in _STAMPS)
    ends = min(other.end() for other in others if other)
    between = head[ends : found.start()]
    return found.start() < ends or _BEFORE_STAMP.fullmatch(between) is not None


#: which attempt it is, and of how many: `try=2/7`
_OF_HOW_MANY: Final = re.compile(r"(?P<no>\d{1,3})/(?P<most>\d{1,3})")
_COUNTED: Final = re.compile(r"(?i)(^|_)(try|tries|attempts?|retry|retries)$")


def pairs(line: str) -> Found:
    """The pairs of `key=value key="a b"`; `try=2/7` is the attempt, and how many there may be."""
    found: Found = {}
    for key, value in _PAIR.findall(line):
        # a colon behind it belongs to the sentence: `delivery=42: broker unreachable`
        is_quoted = value[:1] in "\"'" and value
        found[key] = re.sub(r"\\(.)", r"\1", value[1:-1]) if is_quoted else value.rstrip(":")
        counted = _OF_HOW_MANY.fullmatch(found[key]) if _COUNTED.search(key) else None
        if counted:
            found |= {key: counted["no"], f"max_{key}": counted["most"]}
    return found


def is_level(text: str) -> bool:
    """Whether a text is a level of severity, and no more: `WARN`, or its first letter."""
    return re.fullmatch(r"[DIWEFNC]", text) is not None or _LEVEL.fullmatch(text) is not None


_LEVEL: Final = re.compile(
    r"(?<!\w)(TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|FATAL|CRITICAL|VRB|DBG|INF|WRN|ERR|FTL)(?!\w)"
    r"(?:/([\w.-]*[A-Za-z][\w.-]*)\]?)?:?"
)
_THREAD: Final = re.compile(
    # a tag by a delivery's name, `[wd_19510]`, is none; Spring fills it up, `[   scheduling-3]`
    r"(?:(?<=\s)|^)\[ *(?![A-Za-z]{2,5}_\d{4,}\])([\w.:/@#-]*[A-Za-z][\w.:/@#-]*) *\](?=\s|$)"
)
_LOGGER: Final = re.compile(r"(?:^|\s)((?:[A-Za-z_$][\w$]*\.)+[A-Za-z_$][\w$]*)\s*(?:-|:)(?=\s)")
#: between the level and a sentence that begins as sentences do
_SAID_BY: Final = re.compile(
    r"^\s*(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|FATAL|CRITICAL):?\s+"
    r"((?:[A-Za-z_]\w*\.)+[A-Za-z_]\w*)(?=\s+[A-Z])"
)
_REQUEST: Final = re.compile(
    r'"(?P<method>[A-Z]{3,7}) (?P<path>\S+)(?: HTTP/[\d.]+)?"(?: (?P<status>[1-5]\d\d) (?:\d+|-))?'
)
_PROXIED: Final = re.compile(r"(?<!\S)[\d/+-]+/(\d+)/\+?(\d+) ([1-5]\d\d) \d+(?!\S)")
_URL: Final = re.compile(r"https?://[^\s\"'<>)\],]+")
#: a time as texts have it, with its zone if they name one
WHEN: Final = rf"\d{{4}}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?{_ZONE}"
_LATER: Final = re.compile(rf"(?:\b(?:(?:en)?queued at|at|until|after|on)\s+)?({WHEN})")
#: since when it has been so: nothing is due then
_SINCE: Final = re.compile(rf"\b(?:since|(?:created|older|made|from) before)\s+({WHEN})")
_WAIT: Final = re.compile(
    r"\b(?:retr\w*|again|put off|wait\w*|delay\w*|back\w*off|next \w+|(?:re)?scheduled)\b"
    r"(?:(?!succe|delivered|complet|done|fail|respon)[^.;]){0,80}?(?:\b(?:in|of|for|after)|(?<=put off)|[:=]) "
    r"?(\d+(?:\.\d+)?) ?(ms|s|secs?|seconds?|m|min|minutes?|h|hours?)\b",
    re.I,
)
_TOOK: Final = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?) ?(ms|s|secs?|seconds?)\b")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0}
_KINDS: Final = {
    "delivery": "delivery deliveries dlv callback postback zustellung entrega livraison",
    "job": "job",
    "task": "task",
    "message": "message msg",
    "event": "event evt",
    "notification": "notification",
    "endpoint": "endpoint subscription destination target receiver subscriber",
    "attempt": "attempt try versuch intento tentative",
    "worker": "worker consumer dispatcher",
    "status": "status http code",
}
_KIND_OF: Final = {word: kind for kind, words in _KINDS.items() for word in words.split()}
#: a random name of letters alone, `sHCPWUshUGuu`: capitals stand in it as in no word, nor in the name of a
#: class; behind the word delivery no function is named either, and so `hkdgvvtcXspb` is one there
_MIXED: Final = (
    r"(?-i:[a-z]{2,5}_(?=[A-Za-z]*[a-z][A-Z])[A-Za-z]{8,24}|"
    r"(?=[A-Za-z]*(?:[a-z][A-Z]{2}|[A-Z][a-z][A-Z]|[A-Z]{3}[a-z])|(?<=elivery )[A-Za-z]*[A-Za-z][A-Z])"
    r"[A-Za-z]{10,24}(?<!Job|Log)(?<!Task)(?<!Error|Event)(?<!Worker|Client)(?<!Service|Handler|Message)"
    r"(?<!Delivery)(?<!Exception))"
)
_NAMED: Final = re.compile(
    rf"(?<![\w.])({'|'.join(_KIND_OF)})\b(?:[ _-]?(?:id|no|number|nr|code|status)\b\.?)?"
    r"(?:\s*[:#=(\[]\s*#?|\s+#?|\s+\w+\[)([\"']?)([A-Za-z]*[\w.:@-]*\d[\w.:@-]*?|[a-f]{8,}|"
    rf"{_MIXED}"
    r")\2(?:/(\d+))?(?=[\s,;:.)\]\"'}]|$)",
    re.I,
)
#: but in brackets behind a process is its number: `MainProcess[303]`
_INDEXED: Final = re.compile(
    r"(?!SQLSTATE\[|\w*(?:[Pp]rocess|[Ww]orker|[Tt]hread)[\w-]*\[)(?<![\w.-])[\w.]+\[([\w-]*\d[\w-]*)\]"
)
#: what numbers are counted in
_UNITS: Final = (
    r"[mun\xb5]?s|m?secs?|(?:milli|micro)?seconds?|min|minutes?|hours?|days?|bytes?|[kmg]i?b|rows?|records?|lines?|"
    r"items?|messages?|events?|jobs?|tasks?|(?:web)?hooks?|deliveries|times|attempts?|tries"
)
_UUID: Final = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_WHOLE_UUID: Final = re.compile(rf"(?<![\w.-]){_UUID}(?![\w-])", re.I)
#: the key by which an attempt is known: its delivery's name and its number
_OF_ATTEMPT: Final = re.compile(rf"({_UUID})[:#/](\d{{1,2}})", re.I)
#: the task of a queue, `shop.tasks.deliver[6f1c…]`: what it runs, and by which name
_TASK: Final = re.compile(
    r"(?<![\w.])(?:[A-Za-z_]\w*\.)+[A-Za-z_]\w*"
    rf"\[({_UUID})\]:?",
    re.I,
)
#: a hand-over to a queue by its call, `deliver.delay(42)`
_HAND_OVER: Final = re.compile(
    r"(?<![\w.])[\w.]*\w\.(?:delay|apply_async|send_task|perform_async|perform_later)"
    r"\([\"']?([\w-]*\d[\w-]*)[\"']?\)"
)
#: a job by its class and what it was given: `enqueued DeliverWebhookJob(48321)`
_CALLED: Final = re.compile(
    r"(?<![\w.])[A-Z]\w*(?:Job|Worker|Task)\([\"']?([\w-]*\d[\w-]*)[\"']?\)"
)
#: Rails' Active Job, `[ActiveJob] [DeliverJob] [6f1c…]`, and what its sentences say of a job: its name, and what
#: it was given
_ACTIVE_JOB: Final = re.compile(rf"\[ActiveJob\](?: \[[A-Z][\w:]*\])?(?: \[({_UUID})\])?", re.I)
_JOB_ID: Final = re.compile(r"\((?:Job ID: |jid[ :=]+)([\w-]+)\)")
_ARGUMENTS: Final = re.compile(r"\bwith arguments: [\"']?([\w-]*\d[\w-]*)[\"']?(?=,|\s|$)")
#: the request that a line was written for, as Rails tags it
_TAGGED: Final = re.compile(rf"^\s*\[({_UUID})\](?=\s)", re.I)
#: the process of a platform that drains all logs into one, `app[worker.1]:`
_DYNO: Final = re.compile(r"^(?:app|heroku)\[([a-z][\w-]*\.[\w-]+)\]:")
#: what a task gave back, and other texts in quotation marks at the end
_QUOTED: Final = re.compile(r"""(?<=: )(["'])([^"']*)\1\s*$""")
#: what a receiver asks for by a header, and nobody has planned
_RETRY_AFTER: Final = re.compile(
    r"[,;]? ?\(?Retry-After[:=] ?(?:[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} [\d:]{8} GMT|\d+ ?s?)\)?(?=[\s,;)]|$)"
)
#: that a queue gives an entry once more, `(tag 7, redelivered)`, says nothing of the delivery
_REDELIVERED: Final = re.compile(r",? ?\bredelivered\)")
#: a request to a path of the service itself
_OWN_REQUEST: Final = re.compile(r"(?:^|\s)(POST|PUT) (/\S*) ([1-5]\d\d)(?=\s|$)")
#: how a request was answered, in words: `answered 200`, `responded with HTTP 503`
_ANSWERED: Final = re.compile(
    r"\b(?:answer|respon[ds]|return|repl(?:y|i)|got|receiv|gave|came back|http|code|upstream)\w*:?"
    r"(?: (?:with|by|a|an|http|status|code|response))* ([1-5]\d\d)(?=[\s,;:.)\]]|$)"
    r"(?! (?:rows?|records?|bytes|items?|messages?|events?|jobs?|deliver\w*)\b)",
    re.I,
)
#: and by the line that begins an answer: `failed: 503 Service Unavailable`, `delivered (201, 361ms)`
_STATUS_LINE: Final = re.compile(
    r"(?<=: )([1-5]\d\d)(?= [A-Z][a-z])|(?<=\()([1-5]\d\d)(?=, \d+(?:\.\d+)? ?m?s\))"
)
#: which of how many attempts
_OF_ATTEMPTS: Final = re.compile(
    r"\b(attempt|try|delivery attempt)(?: no\.?| number)?[ #:]*(\d{1,3}) ?(?:/|of) ?(\d{1,3})(?![\w/])",
    re.I,
)
#: and how many there were, where it is given up
_AFTER_ALL: Final = re.compile(
    r"\bafter (\d{1,3}) (?:failed )?(?:delivery )?(?:attempts|tries)\b", re.I
)
#: until when a worker has it
_HELD_UNTIL: Final = re.compile(
    rf"\b(?:lease|leased|lock|locked|claim|claimed|reserved|held|invisible|visibility)\w*"
    rf"(?: \w+){{0,2}} (?:until|till|to|expires(?: at)?) ({WHEN})",
    re.I,
)
#: a type of event, as `invoice.paid`
_TYPE: Final = re.compile(
    r"(?<![\w./@:=-])(?!(?:[a-z0-9-]+\.)+(?:com|net|org|io|dev|example|test|local|internal|cloud|app|co|"
    r"log|go|py|rb|js|java|ts|so|json|yaml|conf)\b)"
    r"([a-z][a-z_]+(?:\.[a-z][a-z_]+){1,3})(?![\w./@:(\[-])"
)
#: the same behind a name: `4f1c8d02 (PaymentFailed)`
_TYPE_BEHIND: Final = re.compile(
    r"(?<=[0-9a-f]) \((?!\w*(?:Error|Exception|Timeout|Failure)\))([A-Z][a-z]+(?:[A-Z][a-z]+)+)\)"
)
#: a receiver by a name without digits: `endpoint globex-orders`
_RECEIVER: Final = re.compile(
    r"\b(endpoint|subscription|destination|receiver|subscriber)(?: name)?[ =:]+[\"']?"
    r"([a-z][a-z0-9]*(?:[-_.][a-z0-9]+)+)[\"']?(?=[\s,;:.)\]]|$)",
    re.I,
)
#: to which host a request went, without a scheme
_TO_HOST: Final = re.compile(
    r"\b((?:POST|PUT|PATCH|GET) )((?:[a-z0-9-]+\.)+[a-z]{2,}(?:/\S*)?)(?=\s|$)"
)
#: a tunnel through a proxy stands, and the request is yet to be made: `CONNECT shop.example:443 -> 200`
_TUNNEL: Final = re.compile(
    r"\bCONNECT [\w.-]+(?::\d+)?(?: via [\w.-]+)?(?: ?(?:->|=>|→|:|returned|answered)? ?2\d\d)?\b"
)
#: what a request came to, behind an arrow: `POST shop.example -> 202 (145ms)`, `< 503 (2629ms)`
_CAME_TO: Final = re.compile(
    r"(?:(?<=\s)(?:->|=>|→)|(?:(?<=\s)|^)(?:<-*|←)) ?([1-5]\d\d)(?=[\s,;.(]|$)(?! [a-z]+s\b)"
)
#: and behind the name of what it was for: `delivery a1433f8f: 204 in 0.15s`
_CAME_OF: Final = re.compile(
    r"(?<![\w-])(?:(?=[\w-]*\d)[\w-]+|[a-f]{8,}): ([1-5]\d\d)(?=[\s,;.(]|$)(?! [a-z]+s\b)"
)
#: the change of a state in a sentence, `state sending -> failed`
_MOVE: Final = re.compile(
    r"(?:\b(?:state|status):? )?(?<![\w.])([a-z_]+) ?(?:->|=>|→) ?([a-z_]+)\b"
)
#: a person by name or address
_BY: Final = re.compile(
    r"\bby (?:user )?([a-z]+\.[a-z]+(?![\w.@])|[a-z][\w.+-]*@[a-z][\w.-]*\w|"
    # or whoever ended it, and is no part of the service
    r"(?:(?<=removed by )|(?<=deleted by )|(?<=cancelled by )|(?<=canceled by )|(?<=withdrawn by ))"
    rf"(?!{NO_PERSON})"
    r"[a-z]{3,}(?=\W|$))"
)
#: a task came to its end: what it gave back says how its turn ended
_RETURNED: Final = re.compile(r"^\W*Task\b.*succeeded in\s*$")
#: pairs by which a line without a sentence tells what a request came to
_ANSWERS: Final = frozenset(
    {"status", "status_code", "http_status", "response_status", "error", "exception"}
)
#: a process of a pool was killed: the number of its job names nothing
_KILLED: Final = re.compile(r"(exited prematurely: .{0,40}?)Job: \d+\.?")
_LONG: Final = re.compile(
    # behind a class it is the place of an object: `rabbitConnectionFactory#1501940`
    rf"(?<![\w.])(?<!\w#)(?:{_UUID}"
    r"|[A-Za-z]+[_-](?=\w*\d)\w{6,}|[A-Za-z]{2,5}_\d{4,}|(?=[a-z]*\d)[0-9a-f]{10,}|(?=\w*\d)\w{16,}|"
    # a number before a unit is how long, how large or how many
    rf"\d{{5,}}(?! (?:{_UNITS})\b))(?![\w.])",
    re.I,
)
#: what a mail server puts before all that it says of an entry of its queue: `7F498469: done (200)`
_ENTRY: Final = re.compile(
    r"\s*((?=[A-F\d]*[A-F])(?=[A-F]*\d)[A-F\d]{6,16}|[A-F]{8}|\d{8}): (?=\w)"
)
_DIGITS: Final = re.compile(r"\S*\d\S*")
#: a name made at random has such letters in its midst
_LETTERS: Final = re.compile(rf"dead[_-]?letter|(^|[^A-Za-z0-9])({LETTERS})", re.I)
#: what a delivery is named by, the most telling first
_OWN: Final = ("delivery", "job", "task", "notification")
_SECOND: Final = ("message", "event")
#: the place of a record in a topic, `orders-8@49822`, which names nothing beyond that
_RECORD: Final = re.compile(r"(?<!\S)[\w.-]+-\d+@\d+(?![\w.@])")
#: words that say nothing of what happened
_MERE: Final = ("attempt", "worker", "status")


def sentence(text: str) -> Found:
    """What a sentence names, and as `text` what is left of it: the same for each line of its kind.

    Besides pairs: `level`, `thread`, `delivery`, `message`, `endpoint`, `attempt`, `worker`, `status`,
    `url`, `path`, `took_s`, `retry_in_s`, `then` (a time it mentions), `detail` (what it says behind a
    colon).
    """
    found: Found = {}
    rest = with_plain_models(text)

    def cut(pattern: re.Pattern[str], *names: str, by: str = " ") -> None:
        nonlocal rest
        match = pattern.search(rest)
        if match:
            for name, value in zip(names, match.groups(), strict=True):
                if name and value is not None:
                    found.setdefault(name, value)
            rest = rest[: match.start()] + by + rest[match.end() :]

    if entry := _ENTRY.match(rest):
        found["delivery"] = entry[1]
        rest = rest[entry.end() :]
    rest = _REDELIVERED.sub(")", _RETRY_AFTER.sub(" ", _QUOTED.sub(r"\2", rest)))
    if said := pairs(rest):
        found.update(said)
        rest = _PAIR.sub(" ", rest)
    if said_by := _SAID_BY.match(rest):
        found.setdefault("logger", said_by[1])
        rest = rest[: said_by.start(1)] + rest[said_by.end(1) :]
    cut(_DYNO, "worker")
    cut(_TAGGED, "request_id")
    cut(_ACTIVE_JOB, "job_id")
    cut(_JOB_ID, "job_id")
    cut(_ARGUMENTS, "delivery")
    is_bare = not said.keys().isdisjoint(_ANSWERS)
    cut(_TASK, "task_id")
    cut(_HAND_OVER, "delivery", by=" enqueue ")
    cut(_CALLED, "delivery", by=" job ")
    cut(_MOVE, "from_state", "to_state")
    cut(_TUNNEL, by=" CONNECT ")
    cut(_CAME_TO, "status", by=" answered ")
    rest = _came_of(rest, found)
    cut(_OF_ATTEMPTS, "", "attempt", "max_attempts", by=" attempt ")
    cut(_AFTER_ALL, "attempt", by=" after attempts ")
    cut(_ANSWERED, "status", by=" answered ")
    cut(_STATUS_LINE, "status", "status", by=" ")
    if host := _TO_HOST.search(rest):
        found.setdefault("url", host[2])
        rest = _TO_HOST.sub(r"\1", rest)
    cut(_BY, "actor", by=" by person ")
    cut(_TYPE, "event_type")
    cut(_TYPE_BEHIND, "event_type")
    cut(_RECEIVER, "", "endpoint", by=" endpoint ")
    if own := _OWN_REQUEST.search(rest):
        found.setdefault("status", own[3])
        rest = f"{rest[: own.start()]} {own[1]} {re.sub('[0-9]', '', own[2])} {rest[own.end() :]}"
    rest = _KILLED.sub(r"\1", rest)
    cut(_LEVEL, "level", "thread")
    cut(_THREAD, "thread")
    cut(_LOGGER, "logger")
    part = found.get("thread") or found.get("logger", "")
    if _LETTERS.search(part):  # what the part of the dead letters stores is one
        rest = f"{part} {rest}"
    _requests(rest, found)
    rest = _REQUEST.sub(lambda m: f" {m['method']} request ", _PROXIED.sub(" ", rest))
    if url := _URL.search(rest):
        found.setdefault("url", url[0])
        rest = _URL.sub(" ", rest)
    cut(_HELD_UNTIL, "lease_until", by=" leased ")
    cut(_SINCE, "since")
    cut(_LATER, "then")
    # of a topic of dead letters it tells where it is
    rest = _RECORD.sub(lambda m: " dead letters " if _LETTERS.search(m[0]) else " ", rest)
    rest = _lengths(rest, found)
    rest = _ids(rest, found)
    rest = re.sub(r"[\[({]\s*[,#]*\s*[\])}]", " ", _DIGITS.sub(" ", rest))
    rest = re.sub(r"\s+", " ", rest)
    head, why = _told_apart(rest)
    is_whole = meaning(rest).op is Op.DEAD_FAILED
    if meaning(head).op is not Op.UNKNOWN and re.search(r"\w", why) and not is_whole:
        found["detail"] = why.strip()
        is_subject = _RETURNED.search(head) or _SUBJECT.fullmatch(head)
        if _RETURNED.search(head) and meaning(why).op is Op.CLAIMED:
            rest = f"skipped as {why}"  # a turn that is over has not got what it found taken
        else:
            rest = why if is_subject and meaning(why).op is not Op.UNKNOWN else head
    rest = rest.strip(" ,;:.-[]()|\"'")
    found["text"] = rest or ("response" if is_bare else "-")
    return found


def _came_of(text: str, found: Found) -> str:
    if came := _CAME_OF.search(text):
        found.setdefault("status", came[1])
        text = f"{text[: came.start(1)]} answered {text[came.end(1) :]}"
    return text


#: what a sentence is about, and not what it says of it: `Delivery 42: endpoint 7 is not active, skipping`
_SUBJECT: Final = re.compile(
    r"\W*(the )?(web_?hook|delivery|job|task|message|notification)\W*", re.IGNORECASE
)


def _told_apart(text: str) -> tuple[str, str]:
    """What a sentence says, and behind a colon why: what failed, behind the first, and what became of it by
    that behind a semicolon belongs to the first; all else behind the last."""
    head, _, why = text.rpartition(": ")
    first, _, rest = text.partition(": ")
    if meaning(first).op is not Op.FAILED:
        return head, why
    reason, _, then = rest.partition(";")
    ends = meaning(then).op is not Op.UNKNOWN
    lost = _IGNORED.search(rest)
    if lost:
        return f"{first}{lost[0]}", rest[: lost.start()]
    return (f"{first}; {then.strip()}", reason) if ends else (first, rest)


#: a turn was over before its answer came, which nobody has heeded
_IGNORED: Final = re.compile(r", [^;:]*\b(ignor|discard|dropp|reject)\w*\s*$")


def _requests(text: str, found: Found) -> None:
    """The request of an access log: the last name in its path is whose it was."""
    if request := _REQUEST.search(text):
        path = request["path"].partition("?")[0]
        outer, _, last = path.rstrip("/").rpartition("/")
        if re.search(r"\d", last):
            found.setdefault("delivery", last)
            path = outer
        found.setdefault("path", path)
        if request["status"]:
            found.setdefault("status", request["status"])
        if proxied := _PROXIED.search(text):
            found.setdefault("took_ms", proxied[2])
            found.setdefault("status", proxied[3])


#: a length of time by ISO 8601, as Java writes it: `PT1M30S`
_ISO_LENGTH: Final = re.compile(r"(?<!\w)PT(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?(?!\w)")


def _in_seconds(match: re.Match[str]) -> str:
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return f"{3_600 * hours + 60 * minutes + seconds:g} s"


def _lengths(text: str, found: Found) -> str:
    text = _ISO_LENGTH.sub(_in_seconds, text)
    if wait := _WAIT.search(text):
        found.setdefault("retry_in_s", f"{float(wait[1]) * _scale(wait[2]):g}")
        text = text[: wait.start(1)] + " " + text[wait.end() :]
    if took := _TOOK.search(text):
        found.setdefault("took_s", f"{float(took[1]) * _scale(took[2]):.6g}")
        text = text[: took.start()] + " " + text[took.end() :]
    return text


def _scale(unit: str) -> float:
    unit = unit.lower()
    return _SECONDS["ms" if unit == "ms" else unit[0]]


#: a number behind one of these bounds what was read, and names none of it: `lastId 771300 -> 771301`,
#: `position is now 54280`
_BOUND: Final = re.compile(
    r"(?:^|[\s,(])(?:last|first|max|min|next|since|after|up to|cursor|offset|position|watermark|lsn|port)\w*"
    r"(?: (?:is|was|now|at|to))*\W*$",
    re.IGNORECASE,
)


#: numbers that name what wrote a line, and nothing it is about
_OF_PROCESS: Final = frozenset({"pid", "tid", "thread_id", "process_id"})
#: names of what a line was written in, beside which it may name a delivery by its looks alone
_AROUND: Final = frozenset({"request_id", "job_id", "jid", "trace_id", "span_id"})
_PREFIXED: Final = re.compile(r"(?<![\w.-])[a-z]{2,5}_(?=\w*\d)\w{4,}(?![\w.])")


def _ids(text: str, found: Found) -> str:
    """The names of things: by the word before them, or by their looks."""

    def take(match: re.Match[str]) -> str:
        kind, value = _KIND_OF[match[1].lower()], match[3]
        if kind == "status" and not re.fullmatch(r"[1-5]\d\d", value):
            return match[0]
        if kind == "attempt" and not value.isdigit():
            return match[0]  # `will try wd2wfbg6h7 again`
        if keyed := _OF_ATTEMPT.fullmatch(value):
            value = keyed[1]
            found.setdefault("attempt", keyed[2])
        if match[1].lower() == "deliveries" and re.fullmatch(r"\d{1,4}", value):
            return match[0]  # how many
        found.setdefault("delivery" if kind in _OWN else kind, value)
        # by itself a callback is what the receiver answers later
        noun = "delivery" if kind == "delivery" and "back" in match[1].lower() else match[1]
        return " " if kind in _MERE else f"{noun} "

    text = _NAMED.sub(take, text)
    ids = {name.lower() for name in found if name.lower().endswith("id")} - _OF_PROCESS
    if "delivery" not in found and ids and ids <= _AROUND and (tagged := _PREFIXED.search(text)):
        found["delivery"] = tagged[0]
    elif "delivery" not in found and not ids:
        own = next((v for k in _SECOND if re.search(r"\d", v := found.get(k, ""))), None)
        # what a sentence is about, rather than a number in a pair beside it
        if own and own.isdigit() and (whole := _WHOLE_UUID.search(text)):
            own = whole[0]
        own = own or found.get("task_id")
        if own is None and (indexed := _INDEXED.search(text)):
            own = indexed[1]
        if (
            own is None
            and (looks := _LONG.search(text))
            and not _BOUND.search(text[: looks.start()])
        ):
            own = looks[0]
        if own is not None:
            found["delivery"] = own
    return text
