"""Which deliveries a damaged row may speak of: what it said is lost, so silence proves nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import ibis
import pyarrow as arrow

from homing.forensics.engine import Engine
from homing.forensics.reading.sources import open_text
from homing.forensics.rows import rows

#: characters that a name may have
_WORDS: Final = re.compile(r"[\w.:/@-]{2,200}")
_PARTS: Final = re.compile(r"[\w-]{2,200}")
_WORDS_MAX: Final = 200_000
#: in a name where bytes of a file were no text: the row is damaged, and its name another's
_BROKEN: Final = "\ufffd"


def words_of(places: Mapping[str, Sequence[int]]) -> set[str]:
    """The words of the damaged rows: any of them may be the name of a delivery.

    Args:
        places: path → numbers of lines, from 1.
    """
    words: set[str] = set()
    for path, lines in places.items():
        wanted, last = set(lines), max(lines)
        with open_text(path) as file:
            for number, text in enumerate(file, 1):
                if number in wanted:
                    words.update(_WORDS.findall(text))
                    words.update(_PARTS.findall(text))
                if number >= last or len(words) > _WORDS_MAX:
                    break
    return words


def keep_doubted(engine: Engine, places: Mapping[str, Sequence[int]]) -> bool:
    """Keep the table `doubted` of deliveries by number; whether there is any."""
    raw = engine.table("raw")
    broken = raw.filter(raw.delivery.contains(_BROKEN)).select(t=raw.delivery).distinct()
    words = words_of(places) | {one.t for one in rows(broken.limit(_WORDS_MAX))}
    if not words:
        return False
    table = engine.put("damaged_words", arrow.table({"t": sorted(words)}))
    engine.keep("doubted", table.select(d=engine.code(table.t)).distinct())
    return True


def marked(cases: Any, engine: Engine, *, has_doubted: bool) -> Any:
    """The deliveries, with whether a damaged row may speak of each."""
    if not has_doubted:
        return cases.mutate(is_doubted=ibis.literal(False))
    doubted = engine.table("doubted").mutate(is_doubted=ibis.literal(True))
    both = cases.left_join(doubted, "d").drop("d_right")
    return both.mutate(is_doubted=both.is_doubted.fill_null(False))
