"""The rows of logs behind an incident's counts: read beside the logs, and brought to a service."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from homing.cli.client import Api
from homing.cli.forensics import forensics, forensics_progress, mapping_of
from homing.cli.incidents import digest_of
from homing.core.errors import ConfigError
from homing.review.evidence import (
    AFTER,
    JUDGED,
    KEPT_MAX,
    SAMPLE,
    Counted,
    Kept,
    LogRow,
    Wanted,
    lists_of,
    paged,
)
from homing.review.incident import Digest, Incident

if TYPE_CHECKING:
    from homing.forensics.behind import Group

_SECOND_US: Final = 1_000_000


class Listed(NamedTuple):
    """A list as it was found in its logs: its length, and some of it."""

    wanted: Wanted
    total: int
    lost: int
    deliveries: tuple[Counted, ...]


def read_lists(
    incident: Incident,
    name: str,
    lists: Sequence[Wanted],
    *,
    start: int = 0,
    limit: int = KEPT_MAX,
    mapping: str | None = None,
    sample: int = 0,
) -> list[Listed]:
    """Some of each list; each log is read once.

    Args:
        name: what commands call the record; logs are looked for beside it.
        start: where in a list to begin.
        limit: deliveries of each list.
        sample: of what is longer than the limit so many, from all over it; 0: no sample.

    Raises:
        ConfigError: a log is not there, or not the one that was investigated, or it comes to
            other counts than the record has.
    """
    found: dict[str, Listed] = {}
    for digests in dict.fromkeys(one.logs for one in lists):
        paths = logs_of(digests, name)
        here = [one for one in lists if one.logs == digests]
        for one, group in zip(
            here, _read(incident, paths, here, mapping, start, limit, sample), strict=True
        ):
            found[one.name] = Listed(one, group.total, group.lost, _counted(group, paths))
    for each in found.values():
        require_same(incident, each)
    return [found[one.name] for one in lists]


def _read(
    incident: Incident,
    paths: dict[str, str],
    lists: Sequence[Wanted],
    mapping: str | None,
    start: int,
    limit: int,
    sample: int,
) -> list[Group]:
    behind = forensics("behind")
    values = incident.results["investigate"].values
    given_s = (values.get("horizon") or {}).get("given_s")
    options = forensics("investigation").Options(
        mapping=mapping_of(mapping or _shipped(values)),
        horizon_us=None if given_s is None else round(given_s * _SECOND_US),
    )
    wants = [behind.Want(one.group, start, limit, sample) for one in lists]
    with forensics_progress() as progress:
        found: list[Group] = behind.behind(list(paths), options, wants, progress)
        return found


def _shipped(values: dict[str, Any]) -> str | None:
    """The mapping that the investigation took, if it comes with Homing."""
    named = set(((values.get("log") or {}).get("mappings") or {}).values())
    return next(iter(named & set(forensics("reading.mapping").SHIPPED)), None)


def _counted(group: Group, paths: dict[str, str]) -> tuple[Counted, ...]:
    return tuple(
        Counted(
            id=one.name,
            is_lost=one.is_lost,
            rows=tuple(
                LogRow(file=paths.get(row.file, row.file), line=row.line, text=row.text)
                for row in one.rows
            ),
        )
        for one in group.deliveries
    )


def require_same(incident: Incident, found: Listed) -> None:
    """
    Raises:
        ConfigError: the record has other counts.
    """
    values = incident.results["investigate"].values
    expected = {"lost": values.get("dropped"), JUDGED: values.get("judged")}
    for at, one in enumerate(values.get("suspects", ())):
        expected[f"suspects.{at}"] = one["having"]
    wanted = expected.get(found.wanted.name)
    if wanted is not None and wanted != found.total:
        text = (
            f"the record has {wanted:,} {found.wanted.title}, the log {found.total:,}; "
            "expected the log to be read as it was then: give the same --mapping"
        )
        raise ConfigError([text])


def logs_of(digests: Sequence[Digest], name: str) -> dict[str, str]:
    """Path → name in the record, of logs that are unchanged: here, or beside the record's file.

    Raises:
        ConfigError: one is not there, or is another one by now.
    """
    problems = []
    for one in digests:
        path = _place_of(one.name, name)
        if not path.is_file():
            problems.append(
                f"{path}: the record names it, and it is neither here nor beside the record"
            )
        elif digest_of(path).sha256 != one.sha256:
            problems.append(f"{path}: it is not the log that was investigated: its hash differs")
    if problems:
        raise ConfigError(problems)
    return {str(_place_of(one.name, name)): one.name for one in digests}


def _place_of(log: str, record: str) -> Path:
    beside = Path(record).parent / log
    return beside if Path(record).is_file() and not Path(log).is_file() else Path(log)


def bring_rows(api: Api, incident: Incident, name: str, mapping: str | None = None) -> list[Kept]:
    """Bring the lists behind an incident's counts to the service that has the incident.

    Long lists are brought as a sample of them.

    Raises:
        ConfigError: a log is not there, or not the one that was investigated.
        ApiError: the service does not take them.
    """
    wanted = lists_of(incident)
    here = [one for one in wanted if not one.name.startswith(AFTER) or _is_there(one, name)]
    kept = []
    for one in read_lists(incident, name, here, mapping=mapping, sample=SAMPLE):
        for number, deliveries in paged(one.deliveries):
            api.call(
                "PUT", "incident", incident.id, "rows", one.wanted.name, str(number),
                body={"deliveries": msgspec.to_builtins(deliveries)},
            )  # fmt: skip
        kept.append(
            Kept(
                name=one.wanted.name,
                title=one.wanted.title,
                total=one.total,
                lost=one.lost,
                kept=len(one.deliveries),
            )
        )
    logs = sorted({log.sha256 for one in here for log in one.logs})
    body = {"logs": logs, "lists": msgspec.to_builtins(kept)}
    api.call("PUT", "incident", incident.id, "rows", body=body)
    return kept


def _is_there(one: Wanted, name: str) -> bool:
    """The log of the week after is often somewhere else by now; the other lists do without."""
    try:
        logs_of(one.logs, name)
    except ConfigError:
        return False
    return True
