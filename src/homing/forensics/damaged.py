"""Which deliveries a damaged row may speak of: what it said is lost, so silence proves nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from os import SEEK_END
from pathlib import Path
from typing import Any, Final

import ibis
import pyarrow as arrow

from homing.forensics.engine import Engine
from homing.forensics.reading.lines import json_object
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


#: the first bytes of files that are packed, or no text
_NO_TEXT: Final = (b"PAR1", b"\x1f\x8b", b"\x28\xb5\x2f\xfd")
#: the longest last line that is looked at
_TAIL_BYTES: Final = 4_096


def cut_off(paths: Iterable[str]) -> set[str]:
    """The words of last lines that do not end, and are no whole object: each may be the beginning of a
    name."""
    words: set[str] = set()
    for path in paths:
        if not Path(path).is_file():
            continue
        with Path(path).open("rb") as file:
            is_text = not file.read(4).startswith(_NO_TEXT)
            file.seek(max(0, file.seek(0, SEEK_END) - _TAIL_BYTES))
            tail = file.read()
        if is_text and not tail.endswith(b"\n"):
            text = tail.rpartition(b"\n")[2].decode("utf-8", "replace")
            if json_object(text) is not None:
                continue  # whole, though no line ends it
            words.update(_WORDS.findall(text), _PARTS.findall(text))
    return words


def keep_doubted(
    engine: Engine, places: Mapping[str, Sequence[int]], paths: Iterable[str] = ()
) -> bool:
    """Keep the table `doubted` of deliveries by number; whether there is any.

    Args:
        places: of the damaged rows.
        paths: of all files.
    """
    raw = engine.table("raw")
    broken = raw.filter(raw.delivery.contains(_BROKEN)).select(t=raw.delivery).distinct()
    words = words_of(places) | cut_off(paths) | {one.t for one in rows(broken.limit(_WORDS_MAX))}
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
