"""PostgreSQL as a primary and a synchronous standby, that can be restarted, killed and promoted."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from bench.processes import with_descendants
from tests.support import postgres
from tests.support.ports import free_port
from tests.support.postgres import find_programs

#: longest wait for a server: after a million deliveries a standby is a copy of gigabytes, and what
#: was written since a checkpoint takes its time to be read again
_WAIT_MAX_S = 600.0

_SETTINGS = postgres.SETTINGS | {
    "listen_addresses": "*",
    "hot_standby": "on",
    "wal_keep_size": "256MB",
    "max_connections": "100",
    # How soon the two notice that the other is gone.
    "wal_sender_timeout": "5s",
    "wal_receiver_timeout": "5s",
    "wal_retrieve_retry_interval": "500ms",
}


class Postgres:
    """One server.

    Args:
        folder: its own; made here, and of the user that PostgreSQL runs as.
        host: where it is reached.
        prefix: a command that runs the command after it on its machine.
    """

    def __init__(
        self, name: str, folder: Path, *, host: str = "127.0.0.1", prefix: Sequence[str] = ()
    ) -> None:
        self.name = name
        self.folder = folder
        self.host = host
        self.port = free_port()
        self.data = folder / "data"
        self._prefix = tuple(prefix)
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True)
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres", "postgres")

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    def initialise(self) -> None:
        """Make a new cluster."""
        self._run("initdb", "-D", str(self.data), "-U", "homing", "-A", "trust", "--no-sync")
        with (self.data / "pg_hba.conf").open("a") as file:
            file.write("host all all 10.77.0.0/16 trust\nhost replication all 10.77.0.0/16 trust\n")

    def follow(self, primary: Postgres) -> None:
        """Copy another server, whatever was here before, to follow it as its standby."""
        shutil.rmtree(self.data, ignore_errors=True)
        source = f"host={primary.host} port={primary.port} user=homing dbname=postgres"
        self._run(
            *("pg_basebackup", "-D", str(self.data), "-d", source),
            *("-R", "-X", "stream", "-c", "fast", "--no-sync"),
        )

    def start(self) -> None:
        """Run it, and wait until it answers. Raises: RuntimeError."""
        options = [f"-c{name}={value}" for name, value in _SETTINGS.items()]
        options += [f"-p{self.port}", f"-k{self.folder}", f"-ccluster_name={self.name}"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command("postgres", "-D", str(self.data), *options),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
            )
        deadline_s = time.monotonic() + _WAIT_MAX_S
        while time.monotonic() < deadline_s and self._process.poll() is None:
            ready = subprocess.run(
                self._command(
                    "pg_isready", "-q", "-U", "homing", "-h", str(self.folder), "-p", str(self.port)
                ),
                check=False,
            )
            if ready.returncode == 0:
                return
            time.sleep(0.1)
        raise RuntimeError(f"PostgreSQL did not start:\n{self.log_end()}")

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT: a fast shutdown; SIGKILL: of all its processes at once, as when power fails."""
        if self._process is None or self._process.poll() is not None:
            return
        if how is signal.SIGKILL:
            for pid in with_descendants(self._process.pid):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
        else:
            self._process.send_signal(how)
        self._process.wait(_WAIT_MAX_S)
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def promote(self) -> None:
        """Make a standby the primary, and wait until it is."""
        self._run("pg_ctl", "promote", "-D", str(self.data), "-w")

    def require(self, standby: str) -> None:
        """Let a commit wait until a standby has it too; "": let it not wait."""
        self.sql(f"ALTER SYSTEM SET synchronous_standby_names = '{standby}'")
        self.sql("SELECT pg_reload_conf()")

    def wait_for_standby(self) -> None:
        """Return when its standby is synchronous. Raises: RuntimeError."""
        deadline_s = time.monotonic() + _WAIT_MAX_S
        while time.monotonic() < deadline_s:
            if "sync" in self.sql("SELECT sync_state FROM pg_stat_replication").split():
                return
            time.sleep(0.1)
        raise RuntimeError(f"no standby follows {self.name}")

    def sql(self, statement: str, database: str = "postgres") -> str:
        """What a statement returns, through its own socket: cut cables do not matter."""
        return self._run(
            *("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", str(self.folder)),
            *("-p", str(self.port), "-U", "homing", "-d", database, "-c", statement),
        )

    def log_end(self) -> str:
        file = self.folder / "log"
        return file.read_text(errors="replace")[-3_000:] if file.exists() else ""

    def _command(self, program: str, *arguments: str) -> list[str]:
        who: list[str] = []
        if os.geteuid() == 0:  # PostgreSQL refuses root
            who = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        return [*self._prefix, *who, str(find_programs() / program), *arguments]

    def _run(self, program: str, *arguments: str) -> str:
        done = subprocess.run(
            self._command(program, *arguments),
            capture_output=True,
            text=True,
            cwd="/",
            timeout=_WAIT_MAX_S,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed:\n{done.stderr}\n{self.log_end()}")
        return done.stdout


class Pair:
    """A primary and its synchronous standby; or one server alone.

    Args:
        standby: None: there is none.
    """

    def __init__(self, primary: Postgres, standby: Postgres | None) -> None:
        self.primary = primary
        self.standby = standby
        self._all = [server for server in (primary, standby) if server is not None]

    @property
    def url(self) -> str:
        """Of all servers: clients find out which of them is the primary."""
        addresses = ",".join(server.address for server in self._all)
        return f"postgresql://homing@{addresses}/postgres"

    def start(self) -> None:
        self.primary.initialise()
        self.primary.start()
        self.attach()

    def attach(self) -> None:
        """Make the standby anew from the primary, and let commits wait for it."""
        if self.standby is None:
            return
        self.standby.follow(self.primary)
        self.standby.start()
        self.primary.require(self.standby.name)
        self.primary.wait_for_standby()

    def promote(self) -> None:
        """The standby becomes the primary; the old one must be out of the way already."""
        assert self.standby is not None
        self.standby.promote()
        # It has nobody to wait for until `attach`.
        self.standby.require("")
        self.primary, self.standby = self.standby, self.primary

    def stop(self) -> None:
        """End both, the standby last: the primary's last commits wait for it."""
        for server in (self.primary, self.standby):
            if server is not None:
                server.stop()
