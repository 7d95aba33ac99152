"""`homing doctor`: looks for what will make trouble, and says how to mend it."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Final

import click
import msgspec
from rich.text import Text

from homing.cli.configuration import load_settings, sqlite_path, without_password
from homing.cli.output import as_json, print_json, print_table, say
from homing.cli.runtime import make_seals
from homing.cli.serve import raise_file_limit
from homing.core.errors import EmptyDatabase, HomingError, SchemaMismatch
from homing.core.plurals import plural
from homing.service.resealing import Sealing, survey
from homing.settings import Settings
from homing.store import open_store
from homing.store.inspection import inspect_postgres, is_wal
from homing.system import SystemClock

_EXIT_FINDINGS: Final = 1

#: files a process needs beside its requests: the database, the log, publishers' connections
_FILES_SPARE: Final = 512
#: free disk below which an operator wants to know: room to grow while somebody makes more
_DISK_FREE_MIN: Final = 4 * 1024**3
#: free disk below which a checkpoint of the write-ahead log may fail at any moment
_DISK_FREE_DIRE: Final = 512 * 1024**2
#: a commit costs one fsync; slower than this and every publisher feels it
_FSYNC_SLOW_S: Final = 0.020
#: no disk syncs faster than this: the file system does not sync at all, as tmpfs
_FSYNC_FAKE_S: Final = 0.000_005
#: Standard Webhooks receivers refuse what is five minutes off; warn long before
_CLOCK_OFF_MAX_S: Final = 2.0
#: file systems over a network, where SQLite's write-ahead log is not safe
#: (https://www.sqlite.org/wal.html, "All processes must be on the same host")
_NETWORK_FILE_SYSTEMS: Final = ("nfs", "cifs", "smb", "9p", "fuse.sshfs", "ceph", "glusterfs")


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What one check saw."""

    check: str
    is_fine: bool
    saw: str
    mend: str = ""  #: what to do: to mend it, or next; empty when there is nothing to do


def _fine(check: str, saw: str) -> Finding:
    return Finding(check=check, is_fine=True, saw=saw)


def _next(check: str, saw: str, then: str) -> Finding:
    """What is not there yet, and need not be."""
    return Finding(check=check, is_fine=True, saw=saw, mend=then)


def _bad(check: str, saw: str, mend: str) -> Finding:
    return Finding(check=check, is_fine=False, saw=saw, mend=mend)


@click.command()
@as_json
def doctor(as_json: bool) -> None:
    """Check configuration, database, disk, clock, egress and limits, with a mend for each finding.

    Nothing is created or changed. What comes with the first start is no finding. Exit code 1: there
    are findings.

    \b
    Examples:
      homing doctor
      HOMING_SENDS_MAX=20000 homing doctor --json
    """
    settings = load_settings(make_secret=False)
    findings = asyncio.run(_examine(settings))
    if as_json:
        print_json(findings)
    else:
        _show(findings)
    if not all(finding.is_fine for finding in findings):
        raise click.exceptions.Exit(_EXIT_FINDINGS)


def _show(findings: list[Finding]) -> None:
    print_table(
        ("", "check", "saw"),
        [(_light(f), f.check, f.saw) for f in findings],
    )
    for finding in findings:
        if finding.mend:
            say(Text.assemble((f"{finding.check}: ", "bold"), finding.mend))


def _light(finding: Finding) -> Text:
    if not finding.is_fine:
        return Text("look", style="bold red")
    return Text("next", style="cyan") if finding.mend else Text("fine", style="green")


async def _examine(settings: Settings) -> list[Finding]:
    checks: list[Callable[[Settings], Awaitable[Iterable[Finding]]]] = [
        _check_configuration,
        _check_database,
        _check_disk,
        _check_clock,
        _check_egress,
        _check_files,
    ]
    return [finding for check in checks for finding in await check(settings)]


async def _check_configuration(settings: Settings) -> Iterable[Finding]:
    found = [_fine("configuration", f"every setting is valid; {_where(settings)}")]
    if settings.listen_host not in ("127.0.0.1", "::1", "localhost"):
        found.append(
            _bad(
                "configuration",
                f"the API listens on {settings.listen}, without TLS",
                "put a proxy that ends TLS before it, and let only that reach the port",
            )
        )
    return found


def _where(settings: Settings) -> str:
    return f"{without_password(settings.database_url)}, API on {settings.listen}"


async def _check_database(settings: Settings) -> Iterable[Finding]:
    path = sqlite_path(settings.database_url)
    if path is not None and not path.exists():
        return [_next("database", f"no file {path} yet", "`homing serve` makes it")]
    began = time.perf_counter()
    try:
        store = await open_store(settings.database_url, migrate=False)
        try:
            await store.ping()
            took_ms = (time.perf_counter() - began) * 1_000
            sealing = await survey(store, make_seals(settings))
        finally:
            await store.close()
    except EmptyDatabase:
        return [_next("database", "reachable, and empty yet", "`homing serve` fills it")]
    except HomingError as error:
        return [_bad("database", str(error), _mend_for(error, path))]
    found = [
        _fine("database", f"reachable, schema up to date ({took_ms:.0f} ms)"),
        _check_secrets(sealing),
    ]
    return [*found, *await _check_durability(settings, path)]


def _check_secrets(sealing: Sealing) -> Finding:
    if sealing.lost:
        some = ", ".join(sealing.lost[:3]) + ", …" * (len(sealing.lost) > 3)
        return _bad(
            "secrets",
            f"{plural(len(sealing.lost), 'endpoint')} cannot be signed for: what is sealed there "
            f"does not open with HOMING_SECRET ({some})",
            "set HOMING_SECRET, or HOMING_SECRET_PREVIOUS, to the one they were made with; if it "
            "is lost, rotate their secrets and set their headers again",
        )
    if sealing.previous:
        return _bad(
            "secrets",
            f"sealed with a previous secret: {plural(len(sealing.previous), 'endpoint')}",
            "`homing secrets reseal`, then HOMING_SECRET_PREVIOUS can go",
        )
    return _fine(
        "secrets", f"sealed with the present secret: {plural(sealing.present, 'endpoint')}"
    )


def _mend_for(error: HomingError, path: Path | None) -> str:
    if isinstance(error, SchemaMismatch):
        return "`homing serve` or `homing migrate` brings it up to this version"
    if path is not None:
        return f"is {path} the right file, and may this user write it and its folder?"
    return "start it, or correct HOMING_DATABASE_URL"


async def _check_durability(settings: Settings, path: Path | None) -> Iterable[Finding]:
    if path is not None:
        return [_check_wal(path)]
    if settings.database_url == "memory:":
        return [
            _bad(
                "durability", "memory: forgets everything when it stops", "use sqlite:///homing.db"
            )
        ]
    facts = await inspect_postgres(settings.database_url)
    off = [
        name for name in ("fsync", "synchronous_commit", "full_page_writes") if facts[name] == "off"
    ]
    if off:
        return [
            _bad(
                "durability",
                f"PostgreSQL has {', '.join(off)} off: a crash can lose what was accepted",
                f"in postgresql.conf: {'; '.join(f'{name} = on' for name in off)}",
            )
        ]
    return [_fine("durability", f"PostgreSQL {facts['server_version']}, fsync on")]


def _check_wal(path: Path) -> Finding:
    if is_wal(path):
        return _fine("durability", "SQLite with a write-ahead log")
    return _bad(
        "durability",
        f"{path} is not in write-ahead mode",
        "the file system may not allow it; keep the database on a local disk",
    )


async def _check_disk(settings: Settings) -> Iterable[Finding]:
    path = sqlite_path(settings.database_url)
    if path is None:
        return []
    folder = path.absolute().parent
    if not folder.is_dir():
        return [_bad("disk", f"no folder {folder}", f"`mkdir -p {folder}`")]
    return [_check_free(folder), _check_file_system(folder), _check_fsync(folder)]


def _check_free(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    saw = f"{free / 1024**3:.1f} GiB free in {folder}"
    if free < _DISK_FREE_DIRE:
        return _bad("disk", saw, "make room now: a full disk refuses every message")
    if free < _DISK_FREE_MIN:
        return _bad("disk", saw, "make room before it is needed")
    return _fine("disk", saw)


def _check_file_system(folder: Path) -> Finding:
    kind = _file_system(folder)
    if kind.startswith(_NETWORK_FILE_SYSTEMS):
        return _bad(
            "file system",
            f"{folder} is on {kind}, a network file system",
            "SQLite's write-ahead log needs a local disk; move it, or use PostgreSQL",
        )
    return _fine("file system", kind or "unknown")


def _file_system(folder: Path) -> str:
    """The type of the file system that `folder` is on; empty where the kernel does not say."""
    try:
        lines = Path("/proc/mounts").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    best, kind = "", ""
    for line in lines:
        _, place, this_kind, *_ = line.split(" ")
        inside = folder.is_relative_to(place)
        if inside and len(place) >= len(best):
            best, kind = place, this_kind
    return kind


def _check_fsync(folder: Path) -> Finding:
    try:
        took_s = _fsync_s(folder)
    except OSError as error:
        return _bad("fsync", f"cannot write in {folder}: {error.strerror}", f"`chown` {folder}")
    saw = f"{took_s * 1_000:.2f} ms"
    if took_s > _FSYNC_SLOW_S:
        return _bad("fsync", saw, "a faster disk; every commit waits for one fsync")
    if took_s < _FSYNC_FAKE_S:
        return _bad(
            "fsync", f"{saw}: nothing is synced", "a disk instead of a file system in memory"
        )
    return _fine("fsync", saw)


def _fsync_s(folder: Path) -> float:
    """The median time of one small durable write, in seconds."""
    times = []
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        for _ in range(11):
            file.write(b"x" * 4_096)
            began = time.perf_counter()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - began)
    return sorted(times)[len(times) // 2]


async def _check_clock(settings: Settings) -> Iterable[Finding]:
    if settings.database_url.startswith("postgres"):
        try:
            other_us = int((await inspect_postgres(settings.database_url))["clock_us"])
        except HomingError:
            return []  # said by the check of the database
        return [_compare_clock("the database's clock", other_us)]
    with tempfile.NamedTemporaryFile() as file:
        other_us = os.stat(file.name).st_mtime_ns // 1_000
    return [_compare_clock("the file system's clock", other_us)]


def _compare_clock(other: str, other_us: int) -> Finding:
    off_s = (SystemClock().now_us() - other_us) / 1_000_000
    if abs(off_s) > _CLOCK_OFF_MAX_S:
        return _bad(
            "clock",
            f"{off_s:+.1f} s against {other}",
            "let NTP set both; receivers refuse signatures that are five minutes off",
        )
    return _fine("clock", f"{off_s:+.3f} s against {other}")


async def _check_egress(settings: Settings) -> Iterable[Finding]:
    everywhere = [*settings.egress_allow, *(n for _, ns in settings.egress_allow_for for n in ns)]
    allowed = ", ".join(map(str, settings.egress_allow))
    servers = _name_servers()
    saw = f"public addresses{' and ' + allowed if allowed else ' only'}"
    if servers is not None and not servers:
        return [
            _bad(
                "egress",
                f"{saw}, but /etc/resolv.conf names no server: no name can be resolved",
                "add a `nameserver` line",
            )
        ]
    wide = [str(n) for n in everywhere if n.prefixlen == 0]
    if wide:
        return [
            _bad(
                "egress",
                f"{', '.join(wide)} is allowed: a tenant can reach any machine",
                "name the networks that endpoints are really in",
            )
        ]
    favoured = len(settings.egress_allow_for)
    more = f"; more for {favoured} of the applications" if favoured else ""
    names = f"; names by {', '.join(servers)}" if servers else ""
    return [_fine("egress", f"{saw}{more}{names}")]


def _name_servers() -> list[str] | None:
    """Those of /etc/resolv.conf; None where there is no such file. Nobody is asked anything."""
    try:
        lines = Path("/etc/resolv.conf").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return [line.split()[1] for line in lines if line.startswith("nameserver ")]


async def _check_files(settings: Settings) -> Iterable[Finding]:
    limit = raise_file_limit()
    needed = settings.sends_max + _FILES_SPARE
    requests = plural(settings.sends_max, "request")
    saw = f"{plural(limit, 'open file')} allowed, {needed:,} needed for {requests} at once"
    if limit < needed:
        mend = (
            f"`ulimit -Hn {needed}`, or LimitNOFILE={needed} in the unit, or fewer HOMING_SENDS_MAX"
        )
        return [_bad("files", saw, mend)]
    return [_fine("files", saw)]
