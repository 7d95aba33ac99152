"""`homing audit`: balance the books from the rows alone, and name what they cannot place."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import click
import msgspec
from rich.text import Text

from homing.cli.database import with_store
from homing.cli.log_check import Progress, breach_document, show_log_check
from homing.cli.moments import moment
from homing.cli.output import as_json, print_json, print_table, say, state_text, time_text
from homing.core.plurals import plural
from homing.core.queries import LedgerRow, Span
from homing.core.store import Store
from homing.insight.ledger import COLUMNS, AuditReport, imbalance, total
from homing.service.books import audit as audit_books
from homing.service.log_check import LogCheck, check_log
from homing.system import SystemClock

_EXIT_UNACCOUNTED = 1


@click.command()
@click.option(
    "--since",
    type=moment,
    metavar="TIME",
    help="Accepted since: 2026-11-23T10:00Z, or 90m, 6h, 2d ago.",
)
@click.option("--until", type=moment, metavar="TIME", help="Accepted before.")
@click.option(
    "--window-s",
    type=click.IntRange(1, 31_536_000),
    default=3_600,
    show_default=True,
    help="Length of a window of --windows, seconds.",
)
@click.option("--windows", is_flag=True, help="A line per endpoint and window.")
@click.option(
    "--books", "books_only", is_flag=True, help="Only count; do not read the delivery log again."
)
@as_json
def audit(
    since: int | None,
    until: int | None,
    window_s: int,
    windows: bool,
    books_only: bool,
    as_json: bool,
) -> None:
    """Count every delivery again, read its life again, and name whatever does not fit.

    \b
    accepted = delivered + dead + cancelled + parked + leased + waiting
    must hold per endpoint and window, and each line of the delivery log must be a step that may
    follow the one before it. Exit code 1, with the invariants that are broken and the deliveries
    by name, if something does not hold.
    It reads the database, beside the running service, and changes nothing. The log is read from
    --since on, about half a minute for a million deliveries; --books leaves that out.

    \b
    Examples:
      homing audit
      homing audit --since 24h --windows --books
      homing audit --json | jq '.unaccounted, .breaches'
    """
    progress = Progress()

    async def look(store: Store) -> tuple[AuditReport, LogCheck | None]:
        report = await audit_books(
            store, SystemClock(), since_us=since, until_us=until, window_s=window_s
        )
        if books_only:
            return report, None
        with progress.of(report.total.accepted) as say:
            span = Span(since_us=since, until_us=until)
            return report, await check_log(store, span, on_progress=say)

    report, check = with_store(look)
    if as_json:
        print_json({**report_document(report), **breach_document(check)})
    else:
        _show(report, windows=windows)
        show_log_check(check)
    if not report.is_balanced or (check is not None and check.count):
        raise click.exceptions.Exit(_EXIT_UNACCOUNTED)


def report_document(report: AuditReport) -> dict[str, Any]:
    """The report as a JSON document: `balanced`, `unaccounted`, totals, rows, misfits."""
    return {
        "balanced": report.is_balanced,
        "unaccounted": report.unaccounted,
        "audited_at": time_text(report.at_us),
        "total": {name: getattr(report.total, name) for name in ("accepted", *COLUMNS)},
        "rows": [
            {
                **msgspec.structs.asdict(row),
                "window_at": time_text(row.window_at_us),
                "imbalance": imbalance(row),
            }
            for row in report.rows
        ],
        "purged": {
            **msgspec.structs.asdict(report.purged),
            "at": None if report.purged_at_us is None else time_text(report.purged_at_us),
        },
        "misfits": [{"delivery": str(m.delivery), "kind": m.kind} for m in report.misfits],
    }


def _show(report: AuditReport, *, windows: bool) -> None:
    rows = list(report.rows) if windows else _by_endpoint(report.rows)
    shown = [name for name in COLUMNS if getattr(report.total, name) or name in COLUMNS[:2]]
    places = ("endpoint", "since") if windows else ("endpoint",)
    print_table(
        (*places, "accepted#", *(f"{name}#" for name in shown)),
        [_line(row, shown, windows) for row in rows],
        empty="no deliveries",
    )
    for misfit in report.misfits:
        say(Text.assemble((f"{misfit.kind:12}", "bold red"), str(misfit.delivery)))
    say(verdict(report))
    if report.purged_at_us is not None:
        say(Text(beyond_retention(report), style="dim"))


def beyond_retention(report: AuditReport) -> str:
    """What is in no column because its retention has ended."""
    gone, at = report.purged, time_text(report.purged_at_us)
    return (
        f"beyond retention and on neither side: {plural(gone.deliveries, 'delivery')} of "
        f"{plural(gone.messages, 'message')}, dead letters among them: {gone.dead_letters:,}; gone "
        f"of what is kept: {plural(gone.payloads, 'payload')}, {plural(gone.attempts, 'attempt')} "
        f"(last {at})"
    )


def _by_endpoint(rows: tuple[LedgerRow, ...]) -> list[LedgerRow]:
    grouped: dict[str, list[LedgerRow]] = defaultdict(list)
    for row in rows:
        grouped[row.endpoint_id].append(row)
    return [
        msgspec.structs.replace(total(some), endpoint_id=endpoint_id)
        for endpoint_id, some in sorted(grouped.items())
    ]


def _line(row: LedgerRow, shown: list[str], windows: bool) -> list[str | Text]:
    name = Text(row.endpoint_id, style="bold red" if imbalance(row) else "")
    place: list[str | Text] = [name, time_text(row.window_at_us)] if windows else [name]
    numbers = [_number(getattr(row, column), column) for column in shown]
    return [*place, str(row.accepted), *numbers]


def _number(count: int, column: str) -> Text:
    text = state_text(column) if count else Text("", style="dim")
    return Text(str(count), style=text.style)


def verdict(report: AuditReport) -> Text:
    """The books in one line, green or red."""
    parts = " + ".join(
        f"{getattr(report.total, name)} {name}" for name in COLUMNS if getattr(report.total, name)
    )
    books = f"{report.total.accepted} accepted = {parts or '0'}"
    if report.is_balanced:
        return Text.assemble(("balanced: ", "bold green"), books)
    return Text.assemble(
        (f"{report.unaccounted} unaccounted for: ", "bold red"), books.replace("=", "≠")
    )
