"""`homing template`: a webhook-sending service and a receiver to start from."""

from __future__ import annotations

import shlex
from collections import Counter
from pathlib import Path

import click

from homing.cli.installed import source_folder
from homing.cli.output import note, say
from homing.core.plurals import plural
from homing.template.scaffold import FRAMEWORKS, NEW, Change, generate, update

_EXIT_FINDINGS = 1


@click.command()
@click.argument("name", required=False)
@click.option(
    "--framework",
    type=click.Choice(FRAMEWORKS),
    default="fastapi",
    show_default=True,
    help="What the service is written with.",
)
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Where; by default a folder of that name. With --update, the project; by default here.",
)
@click.option("--update", "updating", is_flag=True, help="Bring a project up to date.")
def template(name: str | None, framework: str, into: Path | None, updating: bool) -> None:
    """Write a service that sends webhooks, and a receiver, with tests, alerts and objectives.

    The outbox is in the sender's own transaction, the receiver checks signatures and takes each
    message once; a dead letter raises an alert. Needs `pip install 'homing[template]'`.

    --update changes only files that the project has not changed. Exit code 1: both changed some;
    the template's are beside them, with ".new" behind their names.

    \b
    Examples:
      homing template shop
      homing template shop --framework django --into services/shop
      homing template --update
    """
    if updating:
        if name is not None:
            raise click.UsageError("expected no NAME with --update; --into names the project")
        _update(into or Path())
        return
    if name is None:
        raise click.UsageError("expected a NAME, such as `homing template shop`")
    folder = into or Path(name)
    files = generate(folder, name, framework)
    note(f"wrote {plural(len(files), 'file')} to {folder}")
    source = source_folder()
    place = "" if source is None else f" HOMING={shlex.quote(str(source))}"
    say(f"cd {shlex.quote(str(folder))} && make setup{place} && make test && make try")


def _update(folder: Path) -> None:
    done = update(folder)
    for path, change in sorted(done.items()):
        if change is Change.CONFLICT:
            say(f"{path}: changed here and by the template; compare with {path}{NEW}")
        elif change is not Change.SAME:
            say(f"{path}: {change}")
    counts = Counter(done.values())
    note(", ".join(f"{counts[change]} {change}" for change in Change))
    if counts[Change.CONFLICT]:
        raise click.exceptions.Exit(_EXIT_FINDINGS)
