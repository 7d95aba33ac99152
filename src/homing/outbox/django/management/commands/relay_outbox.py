"""`manage.py relay_outbox`: hands what is in the outbox to Homing."""

from __future__ import annotations

import os
import signal
import threading
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from homing.client import Client, ClientError
from homing.outbox.django.rows import DjangoRows
from homing.outbox.relay import Round, relay
from homing.system import SystemClock


class Command(BaseCommand):
    """Until SIGTERM or Ctrl-C; several may run side by side."""

    help = "Hand what is in the outbox to Homing, each row accepted exactly once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        get = os.environ.get
        parser.add_argument("--application", default=get("HOMING_APPLICATION"), help="by id or uid")
        parser.add_argument("--server-url", default=get("HOMING_SERVER_URL"))
        parser.add_argument("--token", default=get("HOMING_TOKEN"))
        parser.add_argument("--database", default="default", help="its alias")
        parser.add_argument("--once", action="store_true", help="until it is empty")
        parser.add_argument("--every", type=float, default=1.0, help="seconds between looks")

    def handle(self, *args: Any, **options: Any) -> None:
        for name in ("application", "server_url", "token"):
            if not options[name]:
                option = name.replace("_", "-")
                raise CommandError(f"expected --{option}, or HOMING_{name.upper()} to be set")
        over = threading.Event()
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, lambda *_: over.set())
        with Client(options["server_url"], options["token"]) as client:
            try:
                relay(
                    DjangoRows(options["database"]),
                    client,
                    options["application"],
                    now_us=SystemClock().now_us,
                    every_s=options["every"],
                    once=options["once"],
                    tell=self._tell,
                    wait=over.wait,
                    is_over=over.is_set,
                )
            except ClientError as error:
                raise CommandError(str(error)) from error
            except KeyboardInterrupt:
                return

    def _tell(self, told: Round | Exception) -> None:
        if isinstance(told, Exception):
            self.stderr.write(f"will try again: {told}")
        elif told.refused or told.left:
            self.stderr.write(
                f"accepted {told.accepted}, refused {told.refused}, to try again {told.left}"
            )
        else:
            self.stdout.write(f"accepted {told.accepted}")
