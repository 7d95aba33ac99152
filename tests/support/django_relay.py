"""`manage.py relay_outbox`, taking the arguments of `homing outbox relay`: for the crash test."""

from __future__ import annotations

import argparse
import os

import django
from django.conf import settings
from django.core.management import call_command

from homing.cli.client import connect


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("words", nargs=2)
    for name in ("--database", "--application", "--every"):
        parser.add_argument(name)
    parser.add_argument("--once", action="store_true")
    given = parser.parse_args()
    database = {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": given.database.removeprefix("sqlite:///"),
        "OPTIONS": {"timeout": 30},
    }
    settings.configure(
        INSTALLED_APPS=["homing.outbox.django"], DATABASES={"default": database}, USE_TZ=True
    )
    django.setup()
    api = connect(os.environ["HOMING_SERVER_URL"], None)
    call_command(
        "relay_outbox",
        application=given.application,
        server_url=api.server_url,
        token=api.token,
        every=float(given.every),
        once=given.once,
    )


if __name__ == "__main__":
    main()
