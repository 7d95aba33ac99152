"""Whether a log's "acked" is said of a delivery, or of the entry of a queue that led to it. Ibis."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from homing.forensics.rows import row
from homing.forensics.vocabulary import Op, meaning, normal

#: words for an entry of a queue that is done with
_ACK: Final = re.compile(r"(^|_)ack(ed|nowledg\w*)?$|^delete_message$")
#: of the deliveries that failed and have such a line, so many have several: then each turn ends with one
_TURNS_MIN: Final = 0.3


def acked_anyway(table: Any, name: Any, texts: Sequence[str]) -> list[str]:
    """Of the words of success, those by which a queue is told that an entry is done with, whatever came
    of it (`task acked`): a delivery that failed has one for each turn, and others say 2xx.

    Args:
        name: what a row's delivery is called.
    """
    acks = [t for t in texts if _ACK.search(normal(t)) and meaning(t).op is Op.SUCCEEDED]
    failures = [t for t in texts if meaning(t).op in (Op.FAILED, Op.RETRY)]
    if not acks or not failures:
        return []
    lines = table.select(
        k=name,
        ack=table.op_raw.isin(acks).fill_null(False).cast("int64"),
        failed=table.op_raw.isin(failures).fill_null(False),
        ok=table.status.between(200, 299).fill_null(False)
        & ~table.op_raw.isin(acks).fill_null(False),
    )
    by_delivery = lines.group_by("k").aggregate(
        acks=lines.ack.sum(), failed=lines.failed.max(), ok=lines.ok.max()
    )
    acked = by_delivery.filter(by_delivery.acks > 0)
    counted = row(
        acked.aggregate(
            ok=acked.ok.cast("int64").sum(),
            failed=acked.failed.cast("int64").sum(),
            many=(acked.failed & (acked.acks > 1)).cast("int64").sum(),
        )
    )
    is_each = int(counted.many or 0) > _TURNS_MIN * max(1, int(counted.failed or 0))
    return acks if is_each and counted.ok else []
