"""Asks a running Homing through its public API; what commands share when they do."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, Final
from urllib.parse import quote

import click
import httpx

from homing import __version__
from homing.cli.admin import sign_token
from homing.cli.configuration import load_settings
from homing.cli.output import why
from homing.core.errors import ConfigError, HomingError

#: longer than any call takes on a busy machine, short enough for a person to wait
_TIMEOUT_S: Final = 30.0
#: the most that the API gives at once
_PAGE_MAX: Final = 250


class ApiError(HomingError):
    """The API did not do as asked; the text is a sentence for a person."""

    code = "api"

    def __init__(self, text: str, status: int | None = None) -> None:
        super().__init__(text)
        self.status = status  #: None: there was no answer


class Api:
    """The public API of one Homing, as one caller."""

    def __init__(self, server_url: str, token: str) -> None:
        if not server_url.startswith(("http://", "https://")):
            wanted = "expected a URL that begins with https:// or http://"
            raise ConfigError(
                [f"HOMING_SERVER_URL or --server-url: {wanted}, found {server_url!r}"]
            )
        self.server_url = server_url.rstrip("/")
        self.token = token
        self._http = httpx.Client(
            base_url=f"{self.server_url}/api/v1",
            headers={
                "authorization": f"Bearer {token}",
                "user-agent": f"homing-cli/{__version__}",
            },
            timeout=_TIMEOUT_S,
            # A service that was started a moment ago is given another: half a second in all.
            transport=httpx.HTTPTransport(retries=2, trust_env=False),
            trust_env=False,
        )

    def get(self, *path: str, **query: Any) -> Any:
        return self.call("GET", *path, query=query)

    def call(
        self,
        method: str,
        *path: str,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        key: str | None = None,
    ) -> Any:
        """One request; the parsed answer, None when it has no body.

        Args:
            path: segments below /api/v1, not yet quoted.
            query: values of None are left out.
            key: makes a repeat of the request do nothing.

        Raises:
            ApiError: anything but 2xx.
        """
        answer = self._request(method, path, query or {}, body, key)
        return answer.json() if answer.content else None

    def _request(
        self,
        method: str,
        path: tuple[str, ...],
        query: Mapping[str, Any],
        body: Any = None,
        key: str | None = None,
    ) -> httpx.Response:
        url = "/" + "/".join(quote(part, safe="") for part in path)
        given = {name: value for name, value in query.items() if value is not None}
        try:
            headers = {} if key is None else {"idempotency-key": key}
            answer = self._http.request(method, url, params=given, json=body, headers=headers)
        except httpx.HTTPError as error:
            reason = str(error).rpartition("] ")[2] or type(error).__name__
            raise ApiError(
                f"no answer from {self.server_url}: {reason}. Is `homing serve` running there? "
                "HOMING_SERVER_URL or --server-url names another place"
            ) from error
        if not answer.is_success:
            raise ApiError(_complaint(answer), answer.status_code)
        return answer

    def content(self, *path: str, **query: Any) -> bytes:
        """The body of an answer that is not one JSON document.

        Raises:
            ApiError: anything but 2xx.
        """
        return self._request("GET", path, query).content

    def pages(self, *path: str, limit: int, **query: Any) -> list[dict[str, Any]]:
        """Up to `limit` items of a listing, over as many pages as that takes."""
        return list(islice(self._items(path, min(limit, _PAGE_MAX), query), limit))

    def _items(
        self, path: tuple[str, ...], size: int, query: Mapping[str, Any]
    ) -> Iterator[dict[str, Any]]:
        iterator = None
        while True:
            page = self.get(*path, **{**query, "limit": size, "iterator": iterator})
            yield from page["data"]
            if page["done"]:
                return
            iterator = page["iterator"]


def _complaint(answer: httpx.Response) -> str:
    """What went wrong, from either form of error body."""
    try:
        detail = answer.json().get("detail", "")
    except ValueError:
        detail = answer.text[:200]
    if isinstance(detail, list):
        detail = "; ".join(f"{_place(one.get('loc', []))}: {one.get('msg')}" for one in detail)
    hint = ""
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        hint = ". Is HOMING_TOKEN (or HOMING_SECRET) the one of that server?"
    return f"{detail or answer.reason_phrase} (status {answer.status_code}){hint}"


def _place(loc: list[Any]) -> str:
    """Which field it is about; that it was in the body is no news."""
    return ".".join(str(part) for part in loc if part != "body")


def connect(server_url: str | None, token: str | None) -> Api:
    """The API at the given place, or at the one the settings name.

    Raises:
        ConfigError: there is no token, and no secret to sign one with.
    """
    if server_url and token:
        return Api(server_url, token)
    settings = load_settings(make_secret=False)
    if not token and not settings.secret:
        raise ConfigError(
            [
                "HOMING_TOKEN: needed, because there is no HOMING_SECRET here to sign one with; "
                "start `homing serve` in this folder first, or make a token where it runs, with "
                "`homing token`"
            ]
        )
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.listen_host, settings.listen_host)
    place = f"[{host}]" if ":" in host else host
    return Api(
        server_url or f"http://{place}:{settings.listen_port}", token or sign_token(settings)
    )


def api_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options of every command that asks the API; the function gets `api`."""

    @click.option("--server-url", envvar="HOMING_SERVER_URL", metavar="URL", help="Where to ask.")
    @click.option("--token", envvar="HOMING_TOKEN", metavar="TOKEN", help="Whom to ask as.")
    @functools.wraps(command)
    def wrapped(*, server_url: str | None, token: str | None, **given: Any) -> Any:
        return command(api=connect(server_url, token), **given)

    return wrapped


limit_option = click.option(
    "--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="At most."
)


def given_only(**fields: Any) -> dict[str, Any]:
    """The fields that were given: neither None nor empty."""
    return {name: value for name, value in fields.items() if value not in (None, (), {}, [])}


def parse_pairs(pairs: tuple[str, ...]) -> dict[str, str]:
    """`name=value` options as a dictionary.

    Raises:
        click.BadParameter: no `=` in one.
    """
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"expected name=value, found {pair!r}")
        found[name] = value
    return found


def read_text(argument: str) -> str:
    """An argument's text: itself, a file's for `@path`, standard input's for `-`.

    Raises:
        click.BadParameter: the file cannot be read.
    """
    try:
        if argument == "-":
            return sys.stdin.read()
        if argument.startswith("@"):
            with open(os.path.expanduser(argument[1:]), encoding="utf-8") as file:
                return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise click.BadParameter(
            f"{argument.removeprefix('@')}: cannot be read: {why(error)}"
        ) from error
    return argument
