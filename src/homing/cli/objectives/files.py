"""`homing slo rules|export|import|check`: objectives as files that other tools read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from homing.cli.client import Api, api_options, connect
from homing.cli.output import as_json, note, print_json, print_table, say
from homing.core.objectives import Limits, Objective, Owner, Sli
from homing.core.plurals import plural
from homing.insight.objectives import default_objectives, target_text
from homing.insight.openslo.bundle import Bundle, read_bundle, write_bundle
from homing.insight.openslo.document import Problem
from homing.insight.openslo.mapping import documents_of, objectives_of
from homing.insight.rules.prometheus import can_be_ruled, rule_files
from homing.insight.rules.unit_tests import unit_test_files

_EXIT_FINDINGS = 1
_SCOPE = "org"

files_argument = click.argument(
    "files",
    nargs=-1,
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
)
output_option = click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write it there; default: standard output.",
)


def objective_from(one: dict[str, Any]) -> Objective:
    """An objective as the API gives it."""
    return Objective(
        scope=_SCOPE,
        id=one["name"],
        created_at_us=0,
        updated_at_us=0,
        sli=Sli(one["sli"]),
        target=one["target"],
        period=one["period"],
        description=one["description"],
        team=one["team"],
        app_id=one["appId"],
        owners=tuple(Owner(owner) for owner in one["owners"]),
        events_min=one["eventsMin"],
        bad_min=one["badMin"],
        labels={name: tuple(values) for name, values in one["labels"].items()},
        annotations=one["annotations"],
        is_default=one["default"],
    )


def body_of(one: Objective) -> dict[str, Any]:
    """An objective as the API takes it."""
    return {
        "sli": one.sli,
        "target": one.target,
        "period": one.period,
        "description": one.description,
        "team": one.team,
        "appId": one.app_id,
        "owners": list(one.owners),
        "eventsMin": one.events_min,
        "badMin": one.bad_min,
        "labels": {name: list(values) for name, values in one.labels.items()},
        "annotations": one.annotations,
    }


def _of_server(server_url: str | None, token: str | None) -> list[Objective]:
    return [objective_from(one) for one in connect(server_url, token).get("objective")["data"]]


def _read(files: Sequence[Path]) -> Bundle:
    texts = []
    for path in files:
        try:
            texts.append((str(path), path.read_text("utf-8")))
        except OSError as error:
            raise click.BadParameter(f"{path}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise click.BadParameter(f"{path}: expected a text in UTF-8") from error
    return read_bundle(texts)


def _objectives_in(files: Sequence[Path]) -> tuple[list[Objective], list[Problem]]:
    bundle = _read(files)
    if bundle.problems:
        return [], bundle.problems
    return objectives_of(bundle, scope=_SCOPE, at_us=0)


def _refuse(problems: Sequence[Problem]) -> None:
    """End with every problem, if there are any."""
    for problem in problems:
        say(Text.assemble((f"{problem.file}:{problem.line}", "bold red"), f": {_rest(problem)}"))
    if problems:
        raise click.exceptions.Exit(_EXIT_FINDINGS)


def _rest(problem: Problem) -> str:
    return f"{problem.path}: {problem.text}" if problem.path else problem.text


@click.command("rules")
@click.option(
    "--to",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Write the files there, each with its unit tests; otherwise print the rules.",
)
@click.option(
    "--openslo",
    "files",
    multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Of these OpenSLO files; may be repeated. Otherwise of the running service.",
)
@click.option("--defaults", is_flag=True, help="Of the defaults, without asking a service.")
@click.option("--every", default="30s", show_default=True, help="How often they are computed.")
@click.option("--server-url", envvar="HOMING_SERVER_URL", metavar="URL", help="Where to ask.")
@click.option("--token", envvar="HOMING_TOKEN", metavar="TOKEN", help="Whom to ask as.")
def rules(
    folder: Path | None,
    files: tuple[Path, ...],
    defaults: bool,
    every: str,
    server_url: str | None,
    token: str | None,
) -> None:
    """Write Prometheus rules for objectives, and promtool tests that make each alert fire and not.

    \b
    Examples:
      homing slo rules --to /etc/prometheus/homing
      homing slo rules --defaults --to rules && promtool test rules rules/*.test.yml
      homing slo rules --openslo slo.yaml
    """
    if defaults:
        found = default_objectives(_SCOPE)
    elif files:
        found, problems = _objectives_in(files)
        _refuse(problems)
    else:
        found = _of_server(server_url, token)
    for one in found:
        if not can_be_ruled(one):
            note(
                f"{one.id} has no rules: it is about one application, and the metrics are of the "
                "whole service; Homing's own alerts watch it"
            )
    written = rule_files(found, every=every)
    if folder is None:
        for file in written:
            click.echo(f"# {file.name}\n{file.text}")
        return
    folder.mkdir(parents=True, exist_ok=True)
    written += unit_test_files(found)
    for file in written:
        (folder / file.name).write_text(file.text, encoding="utf-8")
    note(f"wrote {plural(len(written), 'file')}; try them: promtool test rules {folder}/*.test.yml")


@click.command("export")
@output_option
@click.option("--defaults", is_flag=True, help="The defaults, without asking a service.")
@click.option(
    "--prometheus-url",
    default="http://prometheus:9090",
    show_default=True,
    help="What the DataSource names.",
)
@click.option("--server-url", envvar="HOMING_SERVER_URL", metavar="URL", help="Where to ask.")
@click.option("--token", envvar="HOMING_TOKEN", metavar="TOKEN", help="Whom to ask as.")
def export_openslo(
    output: Path | None,
    defaults: bool,
    prometheus_url: str,
    server_url: str | None,
    token: str | None,
) -> None:
    """Write objectives as OpenSLO v1: Service, DataSource, SLOs and their alerts.

    \b
    Examples:
      homing slo export -o slo.yaml
      homing slo export --defaults | head -40
    """
    found = default_objectives(_SCOPE) if defaults else _of_server(server_url, token)
    text = write_bundle(documents_of(found, Limits(), prometheus_url=prometheus_url))
    if output is None:
        click.echo(text)
    else:
        output.write_text(text, encoding="utf-8")
        note(f"wrote {output}")


@click.command("check")
@files_argument
@as_json
def check_openslo(files: tuple[Path, ...], as_json: bool) -> None:
    """Check OpenSLO v1 files strictly, and say what of them Homing could not import.

    Every mistake is named with file, line and path; exit code 1 if there is one.

    \b
    Examples:
      homing slo check slo.yaml
      homing slo check slo/*.yaml --json
    """
    bundle = _read(files)
    found, unkept = ([], []) if bundle.problems else objectives_of(bundle, scope=_SCOPE, at_us=0)
    problems = bundle.problems
    if as_json:
        print_json(
            {
                "documents": len(bundle.documents),
                "objectives": [one.id for one in found],
                "problems": [one._asdict() for one in problems],
                "notImported": [one._asdict() for one in unkept],
            }
        )
        if problems:
            raise click.exceptions.Exit(_EXIT_FINDINGS)
        return
    _refuse(problems)
    for one in unkept:
        say(Text(f"{one.file}:{one.line}: not imported: {_rest(one)}", style="yellow"))
    documents = plural(len(bundle.documents), "document")
    say(f"{documents}, {plural(len(found), 'objective')}: nothing is wrong with them")


@click.command("import")
@files_argument
@click.option("--dry-run", is_flag=True, help="Only say what would be written.")
@api_options
def import_openslo(api: Api, files: tuple[Path, ...], dry_run: bool) -> None:
    """Write the objectives of OpenSLO v1 files into a running service.

    Nothing is written if anything is wrong with any of them.

    \b
    Examples:
      homing slo import slo.yaml --dry-run
      homing slo import slo/*.yaml
    """
    found, problems = _objectives_in(files)
    _refuse(problems)
    for one in found:
        if not dry_run:
            api.call("PUT", "objective", one.id, body=body_of(one))
    print_table(
        ("would be written" if dry_run else "written", "target#", "over"),
        [(one.id, target_text(one), one.period) for one in found],
        empty="there is no SLO in these files",
    )
