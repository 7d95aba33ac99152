"""A shop that writes orders and their messages in one transaction, and rolls some back.

`python shop_writer.py DATABASE_URL` writes until its standard input ends, and 200 rows at least.
It prints each event id as a line: `committed ID` after the commit, `rolled-back ID` after the
rollback.
"""

from __future__ import annotations

import sys
import threading
import time

import sqlalchemy as sa
from sqlalchemy.orm import Session

from homing.outbox import sqlalchemy as outbox

#: written however busy the machine is
ROWS_MIN = 200

metadata = sa.MetaData()
orders = sa.Table("orders", metadata, sa.Column("event_id", sa.String(64), primary_key=True))
outbox.table(metadata)


def main(database_url: str) -> None:
    more = {"timeout": 60} if database_url.startswith("sqlite") else {}
    engine = sa.create_engine(database_url, connect_args=more)
    metadata.create_all(engine)
    print("ready", flush=True)
    is_enough = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), is_enough.set()), daemon=True).start()
    number = 0
    while not is_enough.is_set() or number < ROWS_MIN:
        number += 1
        session = Session(engine)
        event_id = outbox.add(session, "order.paid", {"number": number})
        session.execute(sa.insert(orders).values(event_id=event_id))
        if number % 4 == 0:
            session.rollback()
            print(f"rolled-back {event_id}", flush=True)
        else:
            session.commit()
            print(f"committed {event_id}", flush=True)
        session.close()
        time.sleep(0.01)


if __name__ == "__main__":
    main(*sys.argv[1:])
