"""Which columns of a log name a delivery, its message and its endpoint. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

from homing.forensics.reading.columns import (
    CALLED_SO,
    Seen,
    fits,
    is_of_cursor,
    name_score,
    recognised,
    varies_within,
)
from homing.forensics.reading.lines import Row
from homing.forensics.reading.synonyms import SYNONYMS
from homing.forensics.vocabulary import normal


def best_named(
    name: str, seen: dict[str, Seen], taken: set[str], least: float = 30.0
) -> str | None:
    scored = [
        (name_score(name, path), -i, path)
        for i, (path, one) in enumerate(seen.items())
        if path not in taken and fits(name, one)
    ]
    best = max(scored, default=(0.0, 0, ""))
    return best[2] if best[0] >= least else None


def _beside(rows: Sequence[Row], delivery: str | None) -> set[str]:
    """The columns of the rows that name a delivery: what stands in no such row is of other things."""
    named = [row for row in rows if delivery is not None and row.get(delivery) is not None]
    return {path for row in named for path, value in row.items() if value is not None}


def choose_key(rows: Sequence[Row], seen: dict[str, Seen], take: Any, taken: set[str]) -> None:
    """Delivery, message and endpoint; a name alone does not do: the values must be names."""
    names = {p: s for p, s in seen.items() if _is_name(s) and not _counts_few(s)}
    delivery = best_named("delivery", names, taken, 62.0)
    delivery = _of_kind(rows, names, seen, _plainer(rows, names, delivery))
    if delivery is None and seen.keys() >= _ENVELOPE and "subject" in names:
        delivery = "subject"
    beside = _beside(rows, delivery)
    others = {p: s for p, s in names.items() if p != delivery}
    message = best_named("message", {p: s for p, s in others.items() if p in beside}, taken, 50.0)
    message = message or best_named("message", others, taken, 50.0)
    if message is None:
        message = next((p for p, s in names.items() if p != delivery and _is_reference(s)), None)
    rest = {
        p: s
        for p, s in seen.items()
        if p not in (delivery, message) and s.time is None and not s.nested
        if s.distinct > 1 or not _HOST.search(normal(p))  # the one host that wrote the log
        if not all(map(_MODULE.fullmatch, s.values))
    }
    rest = {p: s for p, s in rest.items() if not s.is_number or s.is_whole}
    near = {p: s for p, s in rest.items() if p in beside}
    endpoint = best_named("endpoint", near, taken, 40.0) or _to_whom(near)
    endpoint = endpoint or best_named("endpoint", rest, taken, 40.0)
    if delivery is not None and _numbers_rows(rows, names, (delivery, message, endpoint)):
        delivery = None
    if (
        delivery is not None
        and endpoint in names
        and _is_sent_once(rows, names, endpoint, delivery)
    ):
        near = {p: s for p, s in rest.items() if p != endpoint}
        delivery, endpoint = endpoint, best_named("endpoint", near, taken, 40.0)
    if delivery is None and message is None:
        delivery = _some_name(rows, names, endpoint)
        if delivery == endpoint:
            endpoint = None
    named = delivery or message
    if named is not None and _named_in(rows, names, named) < _SPARSE * len(rows):
        fuller = {p: s for p, s in names.items() if s.filled > 2 * names[named].filled}
        other = best_named("delivery", fuller, taken, 62.0)
        if other is None:
            other = _some_id(rows, _instead(rows, fuller, named), endpoint)
        elif names[named].filled > _RARE * names[named].rows:
            # files and tables that call it each by another name tell the same together
            other = None
        if other is not None:
            delivery = other  # now and then a sentence names one by its kind
    few = None if endpoint in names and _is_many(names[endpoint]) else endpoint
    if delivery is not None and (whole := _whole(rows, names, seen, delivery, few)):
        delivery = whole
        message = None if message == whole else message
        endpoint = None if endpoint == whole else endpoint
    endpoint = endpoint or _to_whom(rest)
    if delivery is not None and endpoint is not None and _moves(rows, delivery, endpoint):
        endpoint = None  # a host that differs within a delivery is whose turn it was
    if endpoint is None:
        addresses = (p for p, s in rest.items() if p != delivery and _is_address(s))
        endpoint = next((p for p in addresses if name_score("event_type", p) < 60), None)
        if endpoint is not None and _moves(rows, delivery or message, endpoint):
            endpoint = None
    if delivery is None and message is not None and endpoint is None and "id" in names:
        one = names["id"]  # one row a delivery under a bare `id`; else it numbers the rows
        if one.distinct < 0.98 * one.filled:
            delivery = "id"
    delivery, message = (_fuller(rows, names, path) for path in (delivery, message))
    take("delivery", delivery)
    take("message", message)
    take("endpoint", endpoint)
    if key := delivery or message:
        take("trace", _trace(rows, seen, taken, [key, *_called_the_same(rows, names, key)]))


#: of a CloudEvents envelope (version 1.0, section 3.1): its `subject` is what the line is about
_ENVELOPE: Final = frozenset({"specversion", "id", "source", "type"})


def _numbers_rows(
    rows: Sequence[Row], names: dict[str, Seen], three: tuple[str, str | None, str | None]
) -> bool:
    """Whether what is called a delivery's is a number of the row: unique where message and endpoint, which
    rows may name as well, repeat."""
    delivery, message, endpoint = three
    if message is None or endpoint is None:
        return False
    whole = [
        r for r in rows if all(r.get(one) is not None for one in (delivery, message, endpoint))
    ]
    pairs = len({(str(r[message]), str(r[endpoint])) for r in whole})
    one = names[delivery]
    is_own = one.filled >= 0.5 * len(rows) and one.distinct >= 0.999 * one.filled
    return is_own and pairs < 0.9 * len(whole)


def _named_in(rows: Sequence[Row], names: dict[str, Seen], path: str) -> int:
    """How many rows say of which delivery they are: by this column, or by one that is called the same."""
    if names[path].filled >= _SPARSE * len(rows):
        return names[path].filled
    every = (path, *_called_the_same(rows, names, path))
    return sum(any(row.get(one) is not None for one in every) for row in rows)


def with_names(rows: Sequence[Row], seen: dict[str, Seen], key: Sequence[str]) -> Sequence[Row]:
    """The rows, with the name of their delivery in one column also where another one has it."""
    if len(key) != 1:
        return rows
    names = {p: s for p, s in seen.items() if _is_name(s)}
    others = _called_the_same(rows, names, key[0])
    if not others:
        return rows
    every = (key[0], *others)
    return [
        {**row, key[0]: next((row[p] for p in every if row.get(p) is not None), None)}
        for row in rows
    ]


def _called_the_same(rows: Sequence[Row], names: dict[str, Seen], path: str) -> list[str]:
    """Other columns that name deliveries where a column does not: by their name, and the same ones."""
    ours = {str(row[path]) for row in rows if row.get(path) is not None}
    found = []
    for other in names:
        if other == path or name_score("delivery", other) < _CALLED_THE_SAME_MIN:
            continue
        theirs = {str(row[other]) for row in rows if row.get(other) is not None}
        if len(theirs & ours) >= _THE_SAME_MIN * len(theirs):
            found.append(other)
    return found


_CALLED_THE_SAME_MIN: Final = 60.0
_THE_SAME_MIN: Final = 0.8


#: a column of names beside one that says of what kind each is: `object.id` and `object.type`
_ID_OF: Final = re.compile(
    r"^(?P<whose>.*(^|[._])(object|entity|subject|resource|aggregate|target|item|record))[._]?(id|key|ref|uuid)$",
    re.IGNORECASE,
)
_KIND_OF: Final = ("", ".type", "_type", ".kind", "_kind", "Type", "Kind", ".object")
_A_DELIVERY: Final = re.compile(r"^(web_?hook_?)?(deliver(y|ies)|dispatch|notification|hook)$")
#: a name that says of what it is: `deliveries/dlv_3Fq`
_OF_DELIVERY: Final = re.compile(r"(web_?hook[_-]?)?(delivery|deliveries|dispatch)[/:]\S", re.I)
_OF_KIND_FEWEST: Final = 20


def _of_kind(
    rows: Sequence[Row], names: dict[str, Seen], seen: dict[str, Seen], called: str | None
) -> str | None:
    """The column that names deliveries where the one beside it, or the name itself, says so, and other
    things elsewhere; or the one that is `called` a delivery's, if that is plain or there is none."""
    if called is not None and name_score("delivery", called) >= CALLED_SO:
        return called
    for path in names:
        mine = {str(r[path]) for r in rows if _OF_DELIVERY.match(str(r.get(path)))}
        if len(mine) >= _OF_KIND_FEWEST:
            return path
        whose = _ID_OF.match(path)
        kinds = [whose["whose"] + end for end in _KIND_OF if whose and whose["whose"] + end in seen]
        for kind in kinds:
            told = [row for row in rows if row.get(path) is not None and row.get(kind) is not None]
            mine = {str(r[path]) for r in told if _A_DELIVERY.match(normal(str(r[kind])))}
            if len(mine) >= _OF_KIND_FEWEST:
                return path
    return called


def _plainer(rows: Sequence[Row], names: dict[str, Seen], path: str | None) -> str | None:
    """What names the deliveries of a log where hardly any row has the column that is called so: the rows
    say by something else of which they are, and now and then one speaks of a delivery by the way."""
    if path is None or names[path].filled >= _RARE * len(rows):
        return path
    fuller = {p: s for p, s in names.items() if s.filled >= _SPARSE * len(rows)}
    if called := best_named("delivery", fuller, set(), 62.0):
        return called
    endpoint = best_named("endpoint", names, set(), 40.0)
    return _some_name(rows, _instead(rows, fuller, path), endpoint) or path


def _instead(rows: Sequence[Row], names: dict[str, Seen], path: str) -> dict[str, Seen]:
    """Of the columns those that may name the deliveries instead of one in few rows: none that differs
    within what the one names, as a session does, where the one is plainly an id of deliveries, or the
    other is called a request's or some other thing's."""
    is_id = _DELIVERY_ID.search(normal(path)) is not None
    return {
        p: s
        for p, s in names.items()
        if not ((is_id or _is_called_else(p)) and _moves(rows, path, p))
    }


_DELIVERY_ID: Final = re.compile(r"(delivery|deliv|dlv)_?(id|uuid|guid|key|ref|no|nr)$")


def _to_whom(columns: dict[str, Seen]) -> str | None:
    """A column called `to`, if its values are no states."""
    called = (p for p in columns if p.rpartition(".")[2] == "to")
    return next((p for p in called if recognised(columns[p], is_state=True) < 0.3), None)


def _fuller(rows: Sequence[Row], names: dict[str, Seen], path: str | None) -> str | None:
    """The column that says the same as another, in more rows: the header of a request names its event
    as the event itself does, and a request that was never made has none."""
    if path is None:
        return None
    more = [p for p, one in names.items() if one.filled > names[path].filled]
    same = [p for p in more if all(r.get(p) == r[path] for r in rows if r.get(path) is not None)]
    return max(same, key=lambda p: names[p].filled, default=path)


#: an endpoint has more deliveries than this each; and so few different ones may be anything
_OF_HOOK_MAX: Final = 1.5
_HOOKS_FEWEST: Final = 50
_HOOK: Final = re.compile(r"(^|_)(web)?hook(_?(id|uuid|key|ref))?$")


def _is_sent_once(rows: Sequence[Row], names: dict[str, Seen], hook: str, part: str) -> bool:
    """Whether a `hook_id` is no endpoint's but what is delivered: each has about one of what was taken for
    a delivery (the entry of an outbox), and no fewer rows have it."""
    one = names[hook]
    if not _HOOK.search(normal(hook)) or one.filled < names[part].filled:
        return False
    of_hook: dict[str, set[str]] = {}
    for row in rows:
        if row.get(hook) is not None and row.get(part) is not None:
            of_hook.setdefault(str(row[hook]), set()).add(str(row[part]))
    parts = sum(map(len, of_hook.values()))
    return len(of_hook) >= _HOOKS_FEWEST and parts <= _OF_HOOK_MAX * len(of_hook)


def _is_many(seen: Seen) -> bool:
    """Whether a column has as many values as there are deliveries: `webhook_id` is an endpoint's or one's."""
    return seen.distinct >= _ID_SHARE_MIN * seen.filled


#: so well must a column be called a job's or a run's, for it to name less than a delivery
_OF_JOBS_MIN: Final = 90.0
_OF_RUNS_MIN: Final = 60.0
#: of the jobs, so many stand beside a delivery, and so many are of one delivery each; of the deliveries
#: with a job, so many to a job at least; and of the rows that name the delivery, so many are of no job
_TOLD_MIN: Final = 0.4
_OF_ONE_MIN: Final = 0.98
_OF_ANSWERED_MIN: Final = 0.7
_WHOLE_MIN: Final = 0.2
_JOBLESS_MIN: Final = 0.05
_WHOLE_FEWEST: Final = 20


#: fields whose columns may name a delivery as well
_NAMING: Final = frozenset({"delivery", "message", "endpoint"})


def _is_called_else(path: str) -> bool:
    """Whether a column is called another field's: a job's size is the same of all its lines, and names
    nothing."""
    return any(name_score(f, path) >= _OF_RUNS_MIN for f in SYNONYMS if f not in _NAMING)


def _whole(
    rows: Sequence[Row], names: dict[str, Seen], seen: dict[str, Seen], part: str, few: str | None
) -> str | None:
    """What the jobs of one delivery have in common, where `part` names these: each retry may be a job of
    its own, and what comes before and after them names none. It is the delivery.

    Args:
        names: the columns that may name something, of all that were `seen`.
        few: the one that names the endpoints, if it is none of the deliveries'.
    """
    if name_score("trace", part) < _OF_JOBS_MIN:
        return None
    found = []
    for path, one in names.items():
        if path in (part, few) or _is_called_else(path):
            continue
        of_job: dict[str, set[str]] = {}
        for row in rows:
            if row.get(part) is not None and row.get(path) is not None:
                of_job.setdefault(str(row[part]), set()).add(str(row[path]))
        wholes = {name for some in of_job.values() for name in some}
        # the jobs of a queue may be of other things for the most part, and some of many deliveries
        is_answered = _is_answered(rows, seen, path)
        if len(of_job) < _TOLD_MIN * names[part].distinct and not is_answered:
            continue
        if len(wholes) < max(_WHOLE_FEWEST, _WHOLE_MIN * len(of_job)):
            continue
        of_one = sum(len(some) == 1 for some in of_job.values())
        jobless = sum(row.get(path) is not None and row.get(part) is None for row in rows)
        is_more = len(of_job) > (1 + _JOBLESS_MIN) * len(wholes)
        if of_one < (_OF_ANSWERED_MIN if is_answered else _OF_ONE_MIN) * len(of_job):
            continue
        if not is_more and jobless < _JOBLESS_MIN * one.filled:
            continue
        if not _is_fanned(rows, seen, path):
            found.append((name_score("delivery", path), one.filled, path))
    return max(found, default=(0.0, 0, None))[2]


#: of the rows that show an answer so many, and of so many at least
_ANSWERED_MIN: Final = 0.9
_ANSWERED_FEWEST: Final = 50


def _is_answered(rows: Sequence[Row], seen: dict[str, Seen], path: str) -> bool:
    """Whether what a column names is what receivers answer: nearly all rows with a status have it."""
    status = best_named("status", seen, set(), 60.0)
    told = [row for row in rows if status is not None and row.get(status) is not None]
    named = sum(row.get(path) is not None for row in told)
    return named >= max(_ANSWERED_FEWEST, _ANSWERED_MIN * len(told))


def _is_fanned(rows: Sequence[Row], seen: dict[str, Seen], path: str) -> bool:
    """Whether what a column names goes to several endpoints or is of several types of events: it is no
    delivery but an order, a message, or a request."""
    others = [best_named(field, seen, {path}, _FANNING_MIN) for field in ("endpoint", "event_type")]
    return any(other is not None and _moves(rows, path, other) for other in others)


_FANNING_MIN: Final = 60.0


def _trace(
    rows: Sequence[Row], seen: dict[str, Seen], taken: set[str], key: list[str]
) -> str | None:
    """What else names a delivery, where rows that do not name it themselves, or by nothing else, share
    it with some that do: the id of a trace or of a job.

    Args:
        key: the columns that name the deliveries, the first that has one.
    """
    for path in sorted(seen, key=lambda p: -name_score("trace", p)):
        if path in taken or name_score("trace", path) < 46.0:
            continue
        own: dict[str, set[str]] = {}
        lacking = set()
        for row in rows:
            name = next((row[one] for one in key if row.get(one) is not None), None)
            other = row.get(path)
            if other is not None and name is not None and name != other:
                own.setdefault(str(other), set()).add(str(name))
            elif other is not None:
                lacking.add(str(other))
        one = sum(len(names) == 1 for names in own.values())
        if own and lacking and one >= 0.9 * len(own) and lacking & own.keys():
            return path
    return None


#: of the rows that a column names, fewer are too few for what most rows are about
_SPARSE: Final = 0.3
#: what is called a delivery in fewer rows is another's
_RARE: Final = 0.02
#: what a delivery may be called, as well as where it goes
OF_SENDING: Final = re.compile(r"^(web)?hooks?$|callback|notif")
#: fewer different values than this share of the rows cannot be deliveries
_ID_SHARE_MIN: Final = 0.05

_HOST: Final = re.compile(r"(^|_)host_?name$")

#: a part of a program, as tracing calls the `target` of a line
_MODULE: Final = re.compile(r"\w+(::\w+)+")

#: a URL, or the name of a host: `invoice.paid` is none
ADDRESS: Final = re.compile(
    r"https?://\S+|[a-z0-9-]+(\.[a-z0-9-]+)*\.([a-z]{2,3}|info|example|test|local|internal|cloud|"
    r"tech|shop|store|online|site|localhost)(:\d+)?(/\S*)?",
    re.I,
)


def _moves(rows: Sequence[Row], key: str | None, path: str) -> bool:
    """Whether the values of a column differ within one delivery, as an endpoint never does."""
    return key is not None and varies_within(rows, [key], path) > 0.1


def _is_address(seen: Seen) -> bool:
    """Whether all values are addresses of the web, or names of hosts of it."""
    return seen.distinct > 1 and all(map(ADDRESS.fullmatch, seen.values))


def _is_name(seen: Seen) -> bool:
    if (
        not seen.filled
        or seen.nested
        or seen.is_length
        or is_of_cursor(seen.path)
        or seen.time not in (None, "s", "ms", "us", "ns")
    ):
        return False
    if seen.is_number and (not seen.is_whole or seen.http_share > 0.8):
        return False
    if sum(" " in value.strip() for value in seen.values) > 0.5 * seen.distinct:
        return False  # sentences
    return (seen.distinct > 1 or seen.rows < 5) and not _tells(seen)


def _counts_few(seen: Seen) -> bool:
    """Whether a column has a few numbers again and again: it counts within something, and names none."""
    is_few = seen.distinct < _ID_SHARE_MIN * seen.filled
    return seen.is_number and seen.filled >= _COUNTED_FEWEST and is_few


_COUNTED_FEWEST: Final = 400


def _tells(seen: Seen) -> bool:
    """Whether a column says by a few words what happened, whatever it is called."""
    return (
        seen.distinct < _ID_SHARE_MIN * seen.filled
        and recognised(seen, is_state=False) >= _WORDS_MIN
    )


#: of the values of a column so many must be words of what happened, for it to be no name
_WORDS_MIN: Final = 0.5


def _is_reference(seen: Seen) -> bool:
    """Whether a bare `event` or `message` names the event rather than what happened to it."""
    return (
        normal(seen.path).rpartition("_")[2] in ("event", "evt", "message", "msg", "payload")
        and seen.distinct >= 0.2 * seen.filled
        # of a few rows many words are different, and yet they say what happened
        and recognised(seen, is_state=False) < _WORDS_MIN
        and not any(character.isspace() for value in seen.values for character in value)
    )


def _some_name(rows: Sequence[Row], names: dict[str, Seen], endpoint: str | None) -> str | None:
    """A column of identifiers, whatever it is called: also that of the endpoints, where there is no other,
    most rows have it, and it has as many values as deliveries are."""
    found = _some_id(rows, names, endpoint)
    if found is None and endpoint in names:
        one = names[endpoint]
        return endpoint if _is_many(one) and one.filled > 0.5 * one.rows else None
    return found


#: a number that counts deliveries is on so many of the rows, on several of each, and higher on most new ones
_COUNTED_FILLED_MIN: Final = 0.5
_COUNTED_REPEATS_MIN: Final = 2.0
_COUNTED_UP_MIN: Final = 0.75


def _counts_up(rows: Sequence[Row], seen: Seen) -> bool:
    """Whether a column of numbers counts things that have several rows each: a length of time, or a size,
    rises as often as it falls."""
    if not seen.is_whole or seen.filled < _COUNTED_FILLED_MIN * seen.rows:
        return False
    if seen.filled < _COUNTED_REPEATS_MIN * seen.distinct:
        return False
    firsts = [float(text) for text in {str(r[seen.path]): 0 for r in rows if r.get(seen.path)}]
    rising = sum(before < after for before, after in pairwise(firsts))
    return rising >= _COUNTED_UP_MIN * max(1, len(firsts) - 1)


def _some_id(rows: Sequence[Row], names: dict[str, Seen], endpoint: str | None) -> str | None:
    """A column of identifiers whose name says so little as `id`, or nothing at all."""
    candidates = []
    for path, one in names.items():
        last = normal(path).rpartition("_")[2]
        if one.time and not last.endswith("id"):
            continue
        if path == endpoint or any(
            name_score(whose, path) >= 60 for whose in ("app", "event_type", "worker")
        ):
            continue  # it names something else than a delivery
        if name_score("endpoint", path) >= 60 and one.distinct < _ID_SHARE_MIN * one.filled:
            continue
        repeats = one.filled / one.distinct
        looks = 30 * last.endswith(("id", "uuid", "key", "ref", "no")) + 15 * (normal(path) == "id")
        looks += 10 * bool(OF_SENDING.search(last))
        if one.distinct < min(50, 0.05 * one.filled):
            continue
        if one.is_number and not looks and not _counts_up(rows, one):
            continue
        if 1.05 <= repeats <= 30:
            looks += 25
        candidates.append((looks + 20 * one.filled / one.rows, path))
    return max(candidates, default=(0, None))[1]
