"""A PostgreSQL server of our own, for tests and benches: a private port, a throw-away data folder.

python -m tests.support.postgres start DIR     prints the URL; the server stays
python -m tests.support.postgres stop DIR      stops it and removes DIR
"""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

from .ports import free_port  # as `support` and as `tests.support`

#: longest wait for a server to start or stop, seconds; ten times what a slow machine needs
WAIT_MAX_S = 60.0

#: durable as in production, but small: many of these run beside the tests they serve
SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
    "max_connections": "60",
    "listen_addresses": "127.0.0.1",
}

_PR_SET_PDEATHSIG = 1  # prctl(2)

#: servers that are our own children, by process id
_children: dict[int, subprocess.Popen[bytes]] = {}


class Absent(Exception):
    """There is no PostgreSQL to test with; says why and what to do."""


def find_programs() -> Path:
    """The folder of `initdb` and `postgres`: HOMING_TEST_POSTGRES_BIN, or the newest there is.

    Raises:
        Absent: none is installed.
    """
    named = os.environ.get("HOMING_TEST_POSTGRES_BIN")
    if named:
        return Path(named)
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    newest_first = sorted(debian, key=lambda path: int(path.parent.name), reverse=True)
    on_path = [Path(found).resolve().parent for found in [shutil.which("initdb")] if found]
    for folder in [*newest_first, *on_path]:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise Absent("no PostgreSQL server programs; run scripts/install-postgres")


class Server(NamedTuple):
    """A server that was started here."""

    folder: Path
    port: int

    @property
    def url(self) -> str:
        """Of its maintenance database."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        return f"postgresql://homing@127.0.0.1:{self.port}/{database}"

    def launch(self, *, outlive: bool = False) -> None:
        """Run the server, and wait until it answers.

        Args:
            outlive: it stays when this process ends; otherwise it is stopped even if we are killed,
                by the kernel, when the thread ends that called this: call it from the main thread.
        """
        options = [f"-c{name}={value}" for name, value in SETTINGS.items()]
        options += [f"-p{self.port}", f"-k{self.folder}"]
        with (self.folder / "log").open("ab") as log:
            child = subprocess.Popen(
                [find_programs() / "postgres", "-D", self.folder / "data", *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=None if outlive else _stop_with_parent,
                **_unprivileged(),
            )
        _children[child.pid] = child
        self._wait_until_ready(child)

    def halt(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it: SIGINT ends sessions and saves everything, SIGQUIT is a crash."""
        pid_file = self.folder / "data" / "postmaster.pid"
        try:
            pid = int(pid_file.read_text().split("\n", 1)[0])
        except FileNotFoundError:
            return
        os.kill(pid, how)
        if pid in _children:
            _children.pop(pid).wait(WAIT_MAX_S)
            return
        deadline_s = time.monotonic() + WAIT_MAX_S
        while Path(f"/proc/{pid}").exists():
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"PostgreSQL (process {pid}) does not stop: {self.folder}/log")
            time.sleep(0.02)

    def remove(self) -> None:
        """Stop it and delete everything."""
        self.halt()
        shutil.rmtree(self.folder)

    def _wait_until_ready(self, child: subprocess.Popen[bytes]) -> None:
        pid_file = self.folder / "data" / "postmaster.pid"
        deadline_s = time.monotonic() + WAIT_MAX_S
        while time.monotonic() < deadline_s:
            # The eighth line of the file is the server's state (PostgreSQL: miscadmin.h).
            lines = pid_file.read_text().split("\n") if pid_file.exists() else []
            if lines[:1] == [str(child.pid)] and len(lines) > 7 and lines[7].strip() == "ready":
                return
            if child.poll() is not None:
                break
            time.sleep(0.02)
        log = (self.folder / "log").read_text()[-2000:]
        raise RuntimeError(f"PostgreSQL did not start in {self.folder}:\n{log}")


def create(folder: Path) -> Server:
    """Make a new cluster in `folder`, which is created or must be empty; it does not run yet.

    Its default collation is a natural language's, so that an order or a comparison that silently
    relies on bytes fails here and not at a user's.
    """
    programs = find_programs()
    folder.mkdir(parents=True, exist_ok=True)
    who = _unprivileged()
    if who:
        shutil.chown(folder, who["user"], who["group"])
    command = [programs / "initdb", "-D", folder / "data", "-U", "homing", "-A", "trust"]
    command += ["-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
    if int(_version(programs)) >= 15:
        command += ["--locale-provider=icu", "--icu-locale=en-US"]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd="/", check=False, **who, timeout=120
    )
    if done.returncode:
        raise RuntimeError(f"initdb failed:\n{done.stdout}{done.stderr}")
    return Server(folder, free_port())


def _version(programs: Path) -> str:
    """The major version, e.g. "15"."""
    command = [programs / "postgres", "--version"]
    printed = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=120
    ).stdout
    return printed.split()[2].split(".")[0]


def _unprivileged() -> dict[str, Any]:
    """Whom to run as: PostgreSQL refuses root. Arguments for `subprocess`; empty: as we are."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name for entry in pwd.getpwall()}
    name = "postgres" if "postgres" in names else "nobody"
    group = pwd.getpwnam(name).pw_gid
    return {"user": name, "group": group, "extra_groups": []}


def _stop_with_parent() -> None:
    """In the child: get SIGINT (a fast shutdown) when the process that started us dies. Linux."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)


def _main(arguments: list[str]) -> int:
    match arguments:
        case ["start", folder]:
            server = create(Path(folder).resolve())
            server.launch(outlive=True)
            print(server.url)
        case ["stop", folder]:
            Server(Path(folder).resolve(), 0).remove()
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
