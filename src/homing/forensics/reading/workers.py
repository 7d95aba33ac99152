"""Which column of an unknown log names the workers, and which a person. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from homing.forensics.reading.columns import Seen, fits, name_score, varies_within
from homing.forensics.reading.happenings import OF_PROGRAM
from homing.forensics.reading.lines import Row
from homing.forensics.reading.mapping import Column
from homing.forensics.reading.naming import ADDRESS, best_named
from homing.forensics.vocabulary import normal

#: of the rows so many tell who wrote them: it is no person that is named now and then
_WRITES_MIN: Final = 0.5
#: of the rows with a worker, so many must say which run of its process it was
_BOOT_MIN: Final = 0.8
#: or so many, beside a column that hardly any row has
_WRITES_SOME: Final = 0.2
_WRITES_RARE: Final = 0.01


def tell_workers(
    rows: Sequence[Row],
    key: Sequence[str],
    chosen: dict[str, Column],
    seen: dict[str, Seen],
    take: Any,
    taken: set[str],
) -> None:
    """Where who did it names the workers, they are these, and whoever else did something a person."""
    if signs := _signed_with(chosen, seen, taken):
        chosen.pop("worker", None)
        take("worker", signs)
    if "worker" not in chosen:
        take("worker", _called_workers(seen, taken))
    if host := _host_beside(chosen, seen, taken):
        chosen["boot"] = chosen.pop("worker")
        take("worker", host)
    if "boot" in chosen and "worker" in chosen:  # told now and then, it tells nobody apart
        told = [seen[chosen[f].path].filled for f in ("boot", "worker")]
        if told[0] < _BOOT_MIN * told[1]:
            del chosen["boot"]
    if hands := _hands_of(rows, key, chosen, seen, taken):
        processes = chosen.pop("worker").path
        taken.discard(processes)
        take("worker", hands)
    if not _writes_all(chosen, seen) or not varies_within(rows, key, chosen["actor"].path):
        if "worker" not in chosen and "op" in chosen and key:
            take("worker", _changing_hands(rows, key, seen, taken))
        return
    other = chosen.get("worker")
    chosen["worker"] = chosen["actor"]
    rare = other.path if other else best_named("worker", seen, taken)
    if rare is not None and rare in seen and fits("actor", seen[rare]):
        take("actor", rare)


#: the one of the service's own parts that brought a delivery in
OF_INTAKE: Final = re.compile(
    r"(^|_)(app|api|web|ingest|intake|publisher|producer|frontend)_?(node|host(_?name)?|server|instance|pod)$"
)
_PROCESS: Final = re.compile(r"(^|_)(pid|process_id)$")
_MACHINE: Final = re.compile(r"(^|_)(host_?name|host|pod(_name)?|node|instance(_id)?|machine)$")


def _host_beside(chosen: dict[str, Column], seen: dict[str, Seen], taken: set[str]) -> str | None:
    """The column of machines beside the number of a process: on each of them, one has the same number."""
    worker = chosen.get("worker")
    if worker is None or "boot" in chosen or not _PROCESS.search(normal(worker.path)):
        return None
    least = seen[worker.path].filled
    hosts = (p for p, s in seen.items() if p not in taken and s.distinct > 1 and s.filled >= least)
    return next((path for path in hosts if _MACHINE.search(normal(path))), None)


#: `poster-3` in a column `poster`: who did it, whatever such a one is called
_SIGNED: Final = re.compile(r"[^\W\d_]+(?=[-_.:#]?\d+$)")
_KINDLESS: Final = re.compile(r"_(id|name|no)$")
_SIGNERS: Final = range(2, 200)
_SIGNED_MIN: Final = 0.9


def _signed_with(chosen: dict[str, Column], seen: dict[str, Seen], taken: set[str]) -> str | None:
    """The column whose values are its own name with a number, where hardly a row tells its worker."""
    worker = chosen.get("worker")
    told = seen[worker.path].filled if worker is not None and worker.path in seen else 0
    for path, one in seen.items():
        if path in taken or one.distinct not in _SIGNERS or one.filled <= 2 * told:
            continue
        own = sum(
            n
            for value, n in one.values.items()
            if (found := _SIGNED.match(value))
            and found[0].lower() == _KINDLESS.sub("", normal(path))
        )
        if own >= _SIGNED_MIN * one.filled:
            return path
    return None


#: what those are called who make the requests, with a number
_A_WORKER: Final = re.compile(
    r"(?i)(.*[-_./:])?(w|wk|wrk|wkr|worker|consumer|sender|runner|deliverer|dispatcher)[-_.:#]?\d+"
)


def _called_workers(seen: dict[str, Seen], taken: set[str]) -> str | None:
    """The column in which, of the rows that tell who wrote them, many were written by `wrk-2` and others
    of that kind."""
    for path, one in seen.items():
        if path in taken or one.nested or one.is_number or one.distinct not in _SIGNERS:
            continue
        theirs = [n for value, n in one.values.items() if _A_WORKER.fullmatch(value)]
        if len(theirs) > 1 and sum(theirs) >= _WRITES_SOME * one.rows:
            return path
    return None


#: so many endpoints tell whether each has a host of its own
_RECEIVERS_FEWEST: Final = 3


def is_of_receivers(
    rows: Sequence[Row], key: Sequence[str], chosen: dict[str, Column], path: str
) -> bool:
    """Whether a column of hosts names those of the receivers: addresses of the web, each endpoint has one,
    and none changes within a delivery."""
    endpoint = chosen.get("endpoint")
    if endpoint is None or not _MACHINE.search(normal(path)):
        return False
    hosts: dict[str, set[str]] = {}
    for row in rows:
        if row.get(endpoint.path) is not None and row.get(path) is not None:
            hosts.setdefault(str(row[endpoint.path]), set()).add(str(row[path]))
    named = set().union(*hosts.values())
    return (
        len(hosts) >= _RECEIVERS_FEWEST
        and len(named) > 1
        and all(len(theirs) == 1 for theirs in hosts.values())
        and all(map(ADDRESS.fullmatch, named))
        and not varies_within(rows, key, path)
    )


_HANDS: Final = range(2, 60)
#: of the deliveries, so many pass from one to another: those that are tried again
_PASSED_ON: Final = 0.01
_NAMED_MIN: Final = 0.8


def _changing_hands(
    rows: Sequence[Row], key: Sequence[str], seen: dict[str, Seen], taken: set[str]
) -> str | None:
    """The column of few names, with digits, that some rows of a delivery have and others not, and of
    which a delivery may have several: of those who work on it, whatever they are called."""
    for path, one in seen.items():
        is_few = one.distinct in _HANDS and not one.is_number and one.time is None
        if OF_PROGRAM.search(normal(path)):
            continue
        if path in taken or one.nested or not is_few or not 0.2 < one.filled / one.rows < 0.95:
            continue
        named = sum(any(map(str.isdigit, value)) for value in one.values)
        is_other = any(
            name_score(f, path) >= 60 for f in ("endpoint", "app", "event_type", "build")
        )
        if named < _NAMED_MIN * one.distinct or is_other or one.is_length:
            continue
        if varies_within(rows, key, path) > _PASSED_ON:
            return path
    return None


#: of the rows of a delivery, fewer name the process that some other rows are of
_BESIDE_MAX: Final = 0.02


def _hands_of(
    rows: Sequence[Row],
    key: Sequence[str],
    chosen: dict[str, Column],
    seen: dict[str, Seen],
    taken: set[str],
) -> str | None:
    """The column `by` of who did it, where what is called a process stands in the rows of processes
    alone, that name no delivery."""
    worker = chosen.get("worker")
    named = [row for row in rows if any(row.get(path) is not None for path in key)]
    if worker is None or worker.path not in seen or not named:
        return None
    if sum(row.get(worker.path) is not None for row in named) > _BESIDE_MAX * len(named):
        return None
    hands = (
        path
        for path, one in seen.items()
        if path not in taken
        and one.distinct in _HANDS
        and name_score("actor", path) >= _OF_ACTORS_MIN
    )
    return next((path for path in hands if varies_within(rows, key, path) > _PASSED_ON), None)


#: so well must a column be called one of those who do something
_OF_ACTORS_MIN: Final = 90.0


def _writes_all(chosen: dict[str, Column], seen: dict[str, Seen]) -> bool:
    """Whether the column of who did it names the workers, and none of theirs does."""
    if "actor" not in chosen:
        return False
    told = seen[chosen["actor"].path].filled
    worker = chosen.get("worker")
    known = seen[worker.path].filled if worker is not None and worker.path in seen else 0
    rows = seen[chosen["actor"].path].rows
    least = _WRITES_MIN if known > _WRITES_RARE * rows else _WRITES_SOME
    return told >= least * rows and 2 * known < told
