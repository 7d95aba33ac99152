"""`homing board`: how the services of all teams stand, on one page."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import click
import httpx
import msgspec
from rich.text import Text

from homing.cli.alerts import Length
from homing.cli.client import Api, ApiError, api_options, connect, given_only, read_text
from homing.cli.groups import Group
from homing.cli.output import as_json, note, print_json, print_table, say, say_error, why
from homing.insight.board.prometheus import HOMING_QUERIES, parse_queries
from homing.insight.board.standing import Queries
from homing.insight.figures import span_text

_EXIT_FINDINGS: Final = 1
_PUSH_S: Final = 20.0
#: a colour and a shape for each light, as on the page
_LIGHTS: Final = {
    "broken": ("✖ broken", "bold red"),
    "burning": ("▲ burning", "yellow"),
    "unknown": ("? unknown", "magenta"),
    "letters": ("✉ dead letters", "blue"),
    "good": ("✔ good", "green"),
}


@click.group(cls=Group)
def board() -> None:
    """The board: several services on one page, and which of them needs somebody.

    The page is at /board of the server; it asks for a name (any) and a password (a token, best one
    of `homing token --read-only`).

    \b
    Examples:
      homing board status
      homing board add payments --url https://homing.payments.example --token @payments.token
    """


@board.command("status")
@as_json
@api_options
def show_status(api: Api, as_json: bool) -> None:
    """See how every service stands, what needs somebody first. Exit code 1: one does.

    \b
    Examples:
      homing board status
      homing board status --json | jq -r '.data[] | select(.light != "good") | .name'
    """
    found = api.get("board")
    if as_json:
        print_json(found)
    else:
        print_table(
            ("state", "service", "owner", "objective", "left#", "lasts for#", "drops#", "dead#",
             "oldest#", "at stake#"),
            [_row(one, found["at"]) for one in found["data"]],
        )  # fmt: skip
        for one in found["data"]:
            for why in one["why"]:
                say(Text(f"{one['name']}: {why}", style="dim"))
    if any(one["light"] != "good" for one in found["data"]):
        raise click.exceptions.Exit(_EXIT_FINDINGS)


def _row(one: dict[str, Any], at: str) -> tuple[str | Text, ...]:
    word, style = _LIGHTS[one["light"]]
    worst = one["objectives"][0] if one["objectives"] else None
    then = "dim italic" if one["stale"] else ""
    texts = (
        f"{worst['name']} {worst['targetText']}" if worst else "",
        worst["leftText"] if worst else "",
        worst["goneText"] if worst else "",
        _count(one["unaccounted"]),
        _count(one["dead"]),
        _age(one["oldestAt"], at),
        ", ".join(f"{amount} {code}" for code, amount in one["money"].items()),
    )
    return (
        Text(word, style=style),
        one["name"],
        one["owner"],
        *(Text(text, style=then) for text in texts),
    )


def _count(count: int | None) -> str:
    return "not told" if count is None else f"{count:,}"


def _age(since: str | None, at: str) -> str:
    if since is None:
        return ""
    seconds = (datetime.fromisoformat(at) - datetime.fromisoformat(since)).total_seconds()
    return span_text(max(round(seconds), 0))


@board.command("add")
@click.argument("name")
@click.option("--url", metavar="URL", help="Of a Homing that is asked.")
@click.option("--prometheus", metavar="URL", help="Of the Prometheus that knows the service.")
@click.option(
    "--token",
    "member_token",
    metavar="TOKEN",
    help="Its own; @FILE or - reads it from a file or standard input.",
)
@click.option(
    "--public-key", metavar="whpk_…", help="Its standings are signed with; alone: it pushes."
)
@click.option(
    "--queries",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="TOML: what Prometheus is asked; default: the series of `homing slo rules`.",
)
@click.option("--owner", default="", help="The team, where the service does not say itself.")
@click.option(
    "--stale-after",
    type=Length(),
    default="5m",
    show_default=True,
    metavar="TIME",
    help="Without news for so long it needs somebody: 90s, 5m, 1h.",
)
@click.option("--server-url", envvar="HOMING_SERVER_URL", metavar="URL", help="The board's.")
@click.option("--board-token", envvar="HOMING_TOKEN", metavar="TOKEN", help="Whom to ask it as.")
@as_json
def add_member(
    name: str,
    url: str | None,
    prometheus: str | None,
    member_token: str | None,
    public_key: str | None,
    queries: Path | None,
    owner: str,
    stale_after: int,
    server_url: str | None,
    board_token: str | None,
    as_json: bool,
) -> None:
    """Put a service on the board, in place of the one of that name.

    With --url it is asked; with --prometheus its Prometheus is; with --public-key alone it pushes
    (`homing board push`). NAME is what it calls itself (HOMING_NAME there).

    \b
    Examples:
      homing board add payments --url https://homing.payments.example --token @payments.token
      homing board add legacy --prometheus http://prometheus:9090 --queries legacy.toml
      homing board add factory --public-key whpk_…
    """
    if url and prometheus:
        raise click.UsageError("expected one of --url and --prometheus, found both")
    if not (url or prometheus or public_key):
        raise click.UsageError("expected --url, --prometheus, or --public-key of one that pushes")
    if queries and not prometheus:
        raise click.UsageError("--queries says what a Prometheus is asked: expected --prometheus")
    asked: Queries | None = None
    if prometheus:
        asked, named = _queries(queries)
        owner = owner or named
    body = given_only(
        how="prometheus" if prometheus else "pull" if url else "push",
        url=url or prometheus,
        token=read_text(member_token).strip() if member_token else None,
        publicKey=public_key,
        owner=owner,
        staleS=stale_after,
        queries=None if asked is None else _camel(asked),
    )
    api = connect(server_url, board_token)
    found = api.call("PUT", "board", "member", name, body=body)
    if as_json:
        print_json(found)
        return
    say(f"{name} is on the board; `homing board status` shows it once it has been heard of")
    if found["how"] == "pull" and public_key is None:
        note("the key of its first standing will be the one that all others must be signed with")


def _queries(path: Path | None) -> tuple[Queries, str]:
    if path is None:
        return HOMING_QUERIES, ""
    try:
        return parse_queries(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise click.BadParameter(f"{path}: {why(error)}", param_hint="--queries") from error


def _camel(queries: Queries) -> dict[str, str]:
    found = {}
    for name, value in msgspec.structs.asdict(queries).items():
        first, *rest = name.split("_")
        found[first + "".join(map(str.capitalize, rest))] = value
    return found


@board.command("list")
@as_json
@api_options
def list_members(api: Api, as_json: bool) -> None:
    """List the services on the board, and how it hears of them.

    \b
    Example:
      homing board list
    """
    found = api.get("board", "member")["data"]
    if as_json:
        print_json(found)
        return
    print_table(
        ("service", "how", "url", "key", "trouble"),
        [
            (
                one["name"],
                one["how"],
                one["url"],
                (one["publicKey"] or "")[:17],
                Text(one["trouble"], style="red"),
            )
            for one in found
        ],
        empty="nobody but this instance: homing board add --help",
    )


@board.command("show")
@click.argument("name")
@as_json
@api_options
def show_member(api: Api, name: str, as_json: bool) -> None:
    """Show a service on the board: how it is heard of, and the last that it said.

    \b
    Example:
      homing board show payments
    """
    found = api.get("board", "member", name)
    if as_json:
        print_json(found)
        return
    said, queries = found.pop("said") or {}, found.pop("queries") or {}
    objectives = said.pop("objectives", [])
    rows = [*found.items(), *queries.items(), *said.items()]
    print_table(("", ""), [(field, _shown(value)) for field, value in rows])
    if objectives:
        say()
        print_table(
            ("objective", "target", "left#", "lasts for#", "team"),
            [
                (one["name"], one["targetText"], one["leftText"], one["goneText"], one["team"])
                for one in objectives
            ],
        )


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{amount} {code}" for code, amount in value.items())
    return "" if value is None else str(value)


@board.command("remove")
@click.argument("name")
@api_options
def remove_member(api: Api, name: str) -> None:
    """Take a service off the board.

    \b
    Example:
      homing board remove payments
    """
    api.call("DELETE", "board", "member", name)
    say(f"removed {name}")


@board.command("key")
@as_json
@api_options
def show_key(api: Api, as_json: bool) -> None:
    """Show the public key of this instance's standings, for `homing board add` elsewhere.

    It comes from HOMING_SECRET, and is the same on all nodes.

    \b
    Example:
      homing board key
    """
    key = api.get("board", "standing")["key"]
    if as_json:
        print_json({"publicKey": key})
    else:
        say(key)


@board.command("push")
@click.argument("url")
@click.option("--every", "every_s", type=Length(), metavar="TIME", help="Go on, until Ctrl-C.")
@api_options
def push(api: Api, url: str, every_s: int | None) -> None:
    """Push this instance's standing to a board that cannot reach it.

    URL is the board's Homing. The signature is the proof, so no token of the board is needed; there
    `homing board add NAME --public-key KEY` makes it expect this one (`homing board key`).

    \b
    Examples:
      homing board push https://board.example
      homing board push https://board.example --every 1m
    """
    while True:
        try:
            _push_once(api, url)
        except ApiError as error:
            if every_s is None:
                raise
            say_error(str(error))  # the board shows how old what it has is
        else:
            note(f"pushed to {url}")
        if every_s is None:
            return
        time.sleep(every_s)


def _push_once(api: Api, url: str) -> None:
    envelope = api.get("board", "standing")
    target = f"{url.rstrip('/')}/api/v1/board/standing"
    try:
        answer = httpx.post(target, json=envelope, timeout=_PUSH_S, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ApiError(f"{url} cannot be reached: {error}") from error
    if answer.is_success:
        return
    try:
        detail = answer.json().get("detail", "")
    except (ValueError, AttributeError):
        detail = answer.reason_phrase
    raise ApiError(f"{url} does not take it: {detail} (status {answer.status_code})")
