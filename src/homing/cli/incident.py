"""`homing incident`: what was noticed, found and done, written down as it happens."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
from rich.text import Text

from homing.cli.client import Api, api_options, limit_option
from homing.cli.groups import Group
from homing.cli.incident_carrying import bring, export_incident, import_incident
from homing.cli.incidents import (
    POINTER,
    InFile,
    actor_here,
    at_option,
    digest_of,
    incident_option,
    open_here,
    place_of,
    say_if_ahead,
    service_here,
    the_place,
)
from homing.cli.moments import moment
from homing.cli.output import as_json, note, print_json, print_table, say, time_text, why
from homing.core.errors import ConfigError
from homing.core.identifiers import ENTROPY_BYTES, new_id
from homing.review.blocks import is_numeric, quoted
from homing.review.check import faults
from homing.review.incident import (
    Action,
    ActionKind,
    Adopted,
    Adoption,
    Aspect,
    Change,
    Closed,
    Deployed,
    Deployment,
    Detected,
    Detection,
    Done,
    Fix,
    Incident,
    Linked,
    Mended,
    Planned,
    Said,
    Status,
    opened,
)
from homing.system import SystemChance, SystemClock

_FILE: Final = click.Path(dir_okay=False, path_type=Path)
_STYLES: Final = {Status.OPEN: "bold red", Status.MITIGATED: "yellow", Status.CLOSED: "green"}
_by = click.option("--by", default=actor_here, metavar="NAME", help="Who; default: your user name.")


@click.group(cls=Group)
def incident() -> None:
    """Incidents: what was noticed, found, mended and proven, by whom and when.

    \b
    An incident is a file (no service needed) or a record of a running Homing. While one is open
    in a folder, `investigate`, `reproduce`, `verify` and `impact` add their results to it, each
    with the hashes of its files and the command that finds it again. `homing review` writes the
    document.

    \b
    Examples:
      homing incident open "webhooks are missing" --file record.json
      homing investigate log.jsonl
      homing incident deployed --by payments --commit 4f2a91c
      homing review record.json --html review.html
    """


@incident.command("open")
@click.argument("title")
@click.option("--file", "path", type=_FILE, help="Keep it in this file; default: in the service.")
@click.option("--severity", default="unrated", metavar="WORD", help="As you rate it.")
@click.option("--owner", default="", metavar="NAME", help="Of the review; default: --by.")
@click.option("--service", default="", metavar="NAME", help="Whose deliveries it is about.")
@click.option("--objective", default="99.9%", show_default=True, help="Its target, for alerts.")
@click.option(
    "--noticed-at",
    type=moment,
    metavar="TIME",
    help="When it was noticed; default: now.",
)
@click.option("--noticed-by", metavar="NAME", help="Who noticed it; default: --by.")
@click.option("--alert", metavar="NAME", help="The alert that noticed it; none if left out.")
@click.option("--how", default="", metavar="TEXT", help="How it was noticed.")
@at_option
@_by
@as_json
def open_incident(
    title: str,
    path: Path | None,
    severity: str,
    owner: str,
    service: str,
    objective: str,
    noticed_at: int | None,
    noticed_by: str | None,
    alert: str | None,
    how: str,
    at_us: int | None,
    by: str,
    as_json: bool,
) -> None:
    """Open an incident, and make it the one of this folder.

    \b
    Examples:
      homing incident open "webhooks are missing" --file record.json
      homing incident open "webhooks are missing" --file record.json --service notifications \\
        --noticed-at 2026-11-16T09:05Z --how "a shop asked about a payment"
      homing incident open "webhooks are missing"      (in the running service)
    """
    if at_us is not None and path is None:
        raise click.UsageError("--at: expected with --file; a service has its own clock")
    now_us = at_us or SystemClock().now_us()
    say_if_ahead(None, now_us)
    if noticed_at is not None and noticed_at > now_us:
        say_if_ahead(None, noticed_at, "--noticed-at")
    given = {
        "title": title,
        "severity": severity,
        "owner": owner,
        "service": service,
        "objective": objective,
    }
    if path is not None:
        if path.exists():
            raise ConfigError([f"{path}: there is a file already; expected a new one"])
        identifier = new_id("inc_", now_us, SystemChance().entropy(ENTROPY_BYTES))
        made = opened(scope="", id=identifier, at_us=now_us, actor=by, **given)
        InFile(path).save(made)
        name = str(path)
    else:
        answer = service_here().call("POST", "incident", body={**given, "actor": by})
        name = str(answer["id"])
    if noticed_at is not None or noticed_by or alert or how:
        one = Detection(at_us=noticed_at or now_us, by=noticed_by or by, alert=alert, how=how)
        place_of(name).change(lambda _: Detected(detection=one), by)
    POINTER.write_text(name + "\n", encoding="utf-8")
    if as_json:
        print_json(place_of(name).load())
        return
    say(Text.assemble("opened ", (name, "bold"), f": {title}"))
    note(f"commands in this folder add to it, until `homing incident close` ({POINTER})")


@incident.command()
@click.argument("name", metavar="[FILE|ID]", required=False)
@as_json
def show(name: str | None, as_json: bool) -> None:
    """Show an incident: where it stands, and its timeline.

    \b
    Examples:
      homing incident show
      homing incident show record.json --json
    """
    one = the_place(name).load()
    if as_json:
        print_json(one)
        return
    say(Text.assemble((one.status.value, _STYLES[one.status]), "  ", (one.title, "bold")))
    say(Text(f"{one.id}, {one.severity}, owner {one.owner or 'nobody'}", style="dim"))
    for cause in one.causes[-1:]:
        say(f"cause ({cause.status}): {cause.text}")
    say()
    print_table(
        ("when", "who", "what", "where it is written"),
        [
            (time_text(entry.at_us), entry.actor, entry.text, entry.reference or "")
            for entry in one.timeline
        ],
    )
    if one.actions:
        say()
        print_table(("", "action", "owner", "due", ""), [_action(action) for action in one.actions])


def _action(one: Action) -> tuple[str, ...]:
    return (one.name, one.text, one.owner, one.due, "done" if one.done_at_us else "open")


@incident.command("list")
@limit_option
@as_json
@api_options
def list_incidents(api: Api, limit: int, as_json: bool) -> None:
    """List the incidents of the running service.

    \b
    Examples:
      homing incident list
      homing incident list --json | jq -r '.[].title'
    """
    found = api.pages("incident", limit=limit)
    if as_json:
        print_json(found)
        return
    print_table(
        ("id", "status", "severity", "title"),
        [
            (one["id"], Text(one["status"], _STYLES[one["status"]]), one["severity"], one["title"])
            for one in found
        ],
        empty="no incidents",
    )


def _change(
    name: str | None, change: Change, by: str, *, as_json: bool, at_us: int | None = None
) -> None:
    """Add, and say what was added."""

    def told(before: Incident) -> Change:
        say_if_ahead(before, at_us)
        return change

    after = the_place(name).change(told, by)
    entry = after.timeline[-1]
    if as_json:
        print_json(entry)
        return
    when = (f"{time_text(entry.at_us)} ", "dim")
    where = (f" ({entry.reference})" if entry.reference else "", "dim")
    say(Text.assemble(when, f"{entry.actor}: {entry.text}", where))


@incident.command("note")
@click.argument("text")
@click.option(
    "--about",
    type=click.Choice([one.value for one in Aspect]),
    default="note",
    show_default=True,
    help="The section of the review that it belongs to.",
)
@click.option("--source", metavar="WHERE", help="Where it is written; a number needs one.")
@at_option
@_by
@incident_option
@as_json
def note_something(
    text: str,
    about: str,
    source: str | None,
    at_us: int | None,
    by: str,
    name: str | None,
    as_json: bool,
) -> None:
    """Write something down. A number needs a --source: a file, a line, an address.

    \b
    Examples:
      homing incident note "the team agreed to deploy in the morning"
      homing incident note "the lease is 10 s" --source worker.py --about factor
      homing incident note "tests run one worker at a time" --about tests
    """
    if is_numeric(text) and not source:
        raise click.UsageError("a number without a source: expected --source WHERE it is written")
    for one in faults(quoted(text, "record", "text")):
        raise click.UsageError(f"it could not stand in a review: {one.text}")
    said = Said(text=text, aspect=Aspect(about), reference=source, happened_at_us=at_us)
    _change(name, said, by, as_json=as_json, at_us=at_us)


@incident.command()
@click.argument("reference")
@click.option("--text", default="", help="What it is.")
@at_option
@_by
@incident_option
@as_json
def link(
    reference: str, text: str, at_us: int | None, by: str, name: str | None, as_json: bool
) -> None:
    """Add a file, with its hash, or an address.

    \b
    Examples:
      homing incident link deliveries.jsonl.gz --text "the log"
      homing incident link https://git.example/payments/pull/7 --text "the change"
    """
    path = Path(reference)
    digest = digest_of(path) if path.is_file() else None
    if digest is None and "://" not in reference:
        raise ConfigError([f"{reference}: expected a file that is there, or an address"])
    linked = Linked(reference=reference, text=text, digest=digest, happened_at_us=at_us)
    _change(name, linked, by, as_json=as_json, at_us=at_us)


@incident.command()
@click.option("--diff", type=_FILE, metavar="FILE", help="The change itself.")
@click.option("--link", "address", metavar="URL", help="Where it is to be seen.")
@click.option("--text", default="", help="What it does, in a sentence.")
@at_option
@_by
@incident_option
@as_json
def fixed(
    diff: Path | None,
    address: str | None,
    text: str,
    at_us: int | None,
    by: str,
    name: str | None,
    as_json: bool,
) -> None:
    """Say that there is a fix, and who wrote it.

    \b
    Examples:
      homing incident fixed --by ana --diff fix.patch --text "write only what this worker took"
    """
    if is_numeric(text) and not (address or diff):
        raise click.UsageError("a number without a source: expected --diff or --link, too")
    try:
        lines = diff.read_text(encoding="utf-8") if diff else None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"--diff {diff}: cannot be read: {why(error)}"]) from error
    fix = Fix(author=by, link=address or (str(diff) if diff else None), diff=lines, text=text)
    mended = Mended(fix=fix, happened_at_us=at_us)
    _change(name, mended, by, as_json=as_json, at_us=at_us)


@incident.command()
@click.option("--commit", metavar="ID", help="What was deployed: a commit or a version.")
@click.option(
    "--what", type=click.Choice(["fix", "change"]), default="fix", show_default=True,
    help="The fix, or the change that it may have begun with.",
)  # fmt: skip
@at_option
@_by
@incident_option
@as_json
def deployed(
    commit: str | None, what: str, at_us: int | None, by: str, name: str | None, as_json: bool
) -> None:
    """Mark a deployment.

    \b
    Examples:
      homing incident deployed --by payments --commit 4f2a91c
      homing incident deployed --what change --at 2026-11-10T10:12Z --commit 1.8.1
    """
    one = Deployment(at_us=at_us or SystemClock().now_us(), by=by, commit=commit, what=what)
    _change(name, Deployed(deployment=one), by, as_json=as_json, at_us=at_us)


@incident.command()
@click.argument("what")
@click.option("--source", metavar="WHERE", help="Where that is written.")
@at_option
@_by
@incident_option
@as_json
def adopted(
    what: str, source: str | None, at_us: int | None, by: str, name: str | None, as_json: bool
) -> None:
    """Say that somebody took up what it taught.

    \b
    Examples:
      homing incident adopted "the dead-letter alert, in the webhook template" --by platform
    """
    one = Adoption(at_us=at_us or SystemClock().now_us(), by=by, what=what, reference=source)
    _change(name, Adopted(adoption=one), by, as_json=as_json, at_us=at_us)


@incident.command()
@click.argument("text")
@click.option("--owner", required=True, metavar="NAME", help="Who does it.")
@click.option("--due", required=True, metavar="DAY", help="A day: 2026-12-01.")
@click.option(
    "--kind",
    type=click.Choice([one.value for one in ActionKind]),
    default="prevent",
    show_default=True,
    help="What it does about the next one.",
)
@at_option
@_by
@incident_option
@as_json
def action(
    text: str,
    owner: str,
    due: str,
    kind: str,
    at_us: int | None,
    by: str,
    name: str | None,
    as_json: bool,
) -> None:
    """Plan a follow-up, with an owner and a day.

    \b
    Examples:
      homing incident action "alert on unaccounted deliveries" --owner platform \\
        --due 2026-12-01 --kind detect
    """
    try:
        datetime.strptime(due, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise click.BadParameter(f"--due: expected a day: 2026-12-01; found {due!r}") from None
    planned = Planned(text=text, owner=owner, due=due, kind=ActionKind(kind), happened_at_us=at_us)
    _change(name, planned, by, as_json=as_json, at_us=at_us)


@incident.command()
@click.argument("action_name", metavar="ACTION")
@at_option
@_by
@incident_option
@as_json
def done(action_name: str, at_us: int | None, by: str, name: str | None, as_json: bool) -> None:
    """Mark a follow-up as done.

    \b
    Examples:
      homing incident done a1
    """
    change = Done(name=action_name, happened_at_us=at_us)
    _change(name, change, by, as_json=as_json, at_us=at_us)


@incident.command()
@click.argument("text", required=False, default="")
@at_option
@_by
@incident_option
@as_json
def close(text: str, at_us: int | None, by: str, name: str | None, as_json: bool) -> None:
    """Close an incident; commands add to it no more.

    \b
    Examples:
      homing incident close "reviewed with both teams"
    """
    change = Closed(text=text, happened_at_us=at_us)
    _change(name, change, by, as_json=as_json, at_us=at_us)
    if name is None or name == open_here():
        POINTER.unlink(missing_ok=True)


for _one in (export_incident, import_incident, bring):
    incident.add_command(_one)
