"""Finds and reads the settings: environment, TOML file, and the secret beside a SQLite file."""

from __future__ import annotations

import base64
import dataclasses
import os
import re
import stat
import tomllib
import typing
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from homing.core.errors import ConfigError
from homing.knobs import SECRET_RECIPE, SecretText, is_secret, read_value
from homing.settings import LEASE_MARGIN_S, OTHER_NAMES, PREFIX, Settings, knobs
from homing.system import SystemChance

_FILE: Final = "homing.toml"
#: names of our own tests and benchmarks, which run where settings are read
_FOREIGN_PREFIXES: Final = ("HOMING_TEST_", "HOMING_BENCH_")
#: 32 bytes are as many as HMAC-SHA256 can use
_SECRET_BYTES: Final = 32
_DATABASES: Final = ("sqlite:///", "postgresql://", "postgres://", "memory:")


def load_settings(*, make_secret: bool = True, **overrides: object) -> Settings:
    """The settings of this process; `overrides` are options of the command line, None: not given.

    Args:
        make_secret: make one beside a SQLite database that has none yet.

    Raises:
        ConfigError: everything that is wrong, one sentence each.
    """
    file, file_name = _read_file()
    settings = read_settings(_environment(overrides), file, file_name=file_name)
    return settings if settings.secret else _with_kept_secret(settings, make_secret)


def origins(present: Settings) -> dict[str, str]:
    """Where each setting of this process comes from: `environment`, a file's name, `default`."""
    file, file_name = _read_file()
    found = dict.fromkeys(knobs(), "default")
    if present.secret:
        found["HOMING_SECRET"] = f"{sqlite_path(present.database_url)}.secret"
    found |= {PREFIX + key.upper(): file_name for key in file}
    return {name: "environment" if name in os.environ else place for name, place in found.items()}


def _environment(overrides: dict[str, object]) -> dict[str, str]:
    given = {
        f"HOMING_{name.upper()}": str(value)
        for name, value in overrides.items()
        if value is not None
    }
    return dict(os.environ) | given


def _read_file() -> tuple[dict[str, object], str]:
    """The parsed file and its name; empty where there is none and none was asked for."""
    asked = os.environ.get("HOMING_CONFIG")
    path = Path(asked or _FILE)
    try:
        return tomllib.loads(path.read_text(encoding="utf-8")), str(path)
    except FileNotFoundError:
        if asked:
            raise ConfigError([f"HOMING_CONFIG={asked!r}: there is no such file"]) from None
        return {}, ""
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigError([f"{path}: {error}"]) from None


def read_settings(
    environment: Mapping[str, str], file: Mapping[str, object] | None = None, *, file_name: str = ""
) -> Settings:
    """The settings that an environment and a parsed TOML file give; the environment wins.

    Args:
        environment: all of it; only names with HOMING_ are looked at.
        file: keys as the fields of Settings.
        file_name: for messages.

    Raises:
        ConfigError: everything that is wrong, one sentence each.
    """
    problems: list[str] = []
    texts: dict[str, tuple[str, str]] = {}
    for key, value in (file or {}).items():
        texts[PREFIX + key.upper()] = (f"{file_name}: {key}", _as_text(value))
        if PREFIX + key.upper() not in knobs():
            problems.append(_unknown(f"{file_name}: {key}", key.upper()))
    for name, text in environment.items():
        if not name.startswith(PREFIX) or name in OTHER_NAMES or name.startswith(_FOREIGN_PREFIXES):
            continue
        texts[name] = (name, text)
        if name not in knobs():
            problems.append(_unknown(name, name.removeprefix(PREFIX)))
    values = _parse_all(texts, problems)
    settings = Settings(**values)
    problems += contradictions(settings)
    if problems:
        raise ConfigError(problems)
    return settings


def _parse_all(texts: Mapping[str, tuple[str, str]], problems: list[str]) -> dict[str, Any]:
    hints = typing.get_type_hints(Settings)
    values = {}
    for name, (field, limits) in knobs().items():
        if name not in texts:
            continue
        label, text = texts[name]
        try:
            values[field.name] = read_value(hints[field.name], text.strip(), limits)
        except ValueError as error:
            shown = "" if is_secret(hints[field.name]) else f"={text!r}"
            problems.append(f"{label}{shown}: {error}")
    return values


def _as_text(value: object) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value))
    if isinstance(value, dict):
        return ";".join(f"{key}={_as_text(one)}" for key, one in value.items())
    return str(value)


def _unknown(label: str, name: str) -> str:
    known = [known.removeprefix(PREFIX) for known in knobs()]
    near = get_close_matches(name, known, n=1)
    hint = f"; did you mean {PREFIX}{near[0]}?" if near else "; `homing settings` lists them"
    return f"{label}: no such setting{hint}"


def sqlite_path(database_url: str) -> Path | None:
    """The file that a `sqlite:///` URL names; None for other databases."""
    scheme, _, rest = database_url.partition(":///")
    return Path(rest) if scheme == "sqlite" and rest else None


def _with_kept_secret(settings: Settings, make_secret: bool) -> Settings:
    """On SQLite, the secret lives beside the database: whoever copies one sees the other."""
    database = sqlite_path(settings.database_url)
    path = Path(f"{database}.secret")
    if not make_secret and (database is None or not path.exists()):
        return settings
    if database is not None and database.exists() and not path.exists():
        # A new one would open nothing of what the old one sealed.
        raise ConfigError(
            [
                f"{path}: there is no such file, but a database beside it; restore it, or set "
                "HOMING_SECRET to the one that the database was made with"
            ]
        )
    text = _new_secret() if database is None else keep_secret(path)
    return dataclasses.replace(settings, secret=SecretText(text))


def _new_secret() -> str:
    return base64.urlsafe_b64encode(SystemChance().entropy(_SECRET_BYTES)).decode()


def keep_secret(path: Path) -> str:
    """The secret in `path`, made if there is none; two processes that start at once agree.

    Raises:
        ConfigError: it cannot be read or made, or others may read it.
    """
    try:
        if not path.exists():
            _create_secret(path)
        if path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
            raise ConfigError([f"{path}: readable by others; run `chmod 600 {path}`"])
        text = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError([f"{path}: {reason}; or set HOMING_SECRET"]) from None
    if not text:
        raise ConfigError([f"{path}: empty; restore it, or remove it to have a new one made"])
    return text


def _create_secret(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{SystemChance().entropy(8).hex()}")
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(file, "w", encoding="ascii") as out:
        out.write(_new_secret() + "\n")
        out.flush()
        os.fsync(out.fileno())
    try:
        os.link(draft, path)  # whole or not at all, and never over another's
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def contradictions(settings: Settings) -> list[str]:
    """What is wrong between settings, or in the form of one; one sentence each."""
    problems = []
    if not settings.database_url.startswith(_DATABASES):
        problems.append(
            f"HOMING_DATABASE_URL={without_password(settings.database_url)!r}: "
            "expected sqlite:///path or postgresql://…"
        )
    if settings.database_url.startswith("postgres") and not settings.secret:
        problems.append(
            "HOMING_SECRET: required with PostgreSQL, the same for every process; "
            f"make one with {SECRET_RECIPE}"
        )
    host, _, port = settings.listen.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65_535:
        problems.append(f"HOMING_LISTEN={settings.listen!r}: expected host:port, port 0 to 65535")
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", settings.name):
        problems.append(
            f"HOMING_NAME={settings.name!r}: expected 1 to 63 lower-case letters, digits and "
            "hyphens, the first and the last not a hyphen"
        )
    if settings.otlp_url and not settings.otlp_url.startswith(("http://", "https://")):
        problems.append(
            f"HOMING_OTLP_URL={settings.otlp_url!r}: expected http://host:port or https://…"
        )
    if settings.lease_s < settings.total_s + LEASE_MARGIN_S:
        problems.append(
            f"HOMING_LEASE_S={settings.lease_s:g}: expected at least HOMING_TOTAL_S + "
            f"{LEASE_MARGIN_S:g} = {settings.total_s + LEASE_MARGIN_S:g}, so that a lease "
            "outlives its request"
        )
    return problems


def without_password(url: str) -> str:
    """A database URL that can be shown."""
    scheme, mark, rest = url.partition("://")
    user, at, place = rest.rpartition("@")
    if not at:
        return url
    return f"{scheme}{mark}{user.partition(':')[0]}:***@{place}"
