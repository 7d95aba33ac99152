"""Which deliveries a damaged row may speak of: what it said is lost, so silence proves nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from os import SEEK_END
from pathlib import Path
from typing import Any, Final

import ibis
import pyarrow as arrow

from homing.forensics.engine import Engine
from homing.forensics.reading.lines import json_object
from homing.forensics.reading.sources import file_of, open_text
from homing.forensics.rows import row, rows

#: characters that a name may have
_WORDS: Final = re.compile(r"[\w.:/@-]{2,200}")
_PARTS: Final = re.compile(r"[\w-]{2,200}")
_WORDS_MAX: Final = 200_000
#: of all damaged rows together, each with its own
_TOLD_MAX: Final = 1_000_000
#: in a name where bytes of a file were no text: the row is damaged, and its name another's
_BROKEN: Final = "\ufffd"


def words_of(places: Mapping[str, Sequence[int]]) -> set[str]:
    """The words of the damaged rows: any of them may be the name of a delivery.

    Args:
        places: path → numbers of lines, from 1.
    """
    return set().union(*_words_by_row(places))


def _words_by_row(places: Mapping[str, Sequence[int]]) -> Iterator[set[str]]:
    """The words of each damaged row, until they are too many in all."""
    count = 0
    for path, lines in places.items():
        wanted, last = set(lines), max(lines)
        with open_text(file_of(path)) as file:
            for number, text in enumerate(file, 1):
                if number in wanted:
                    words = {*_WORDS.findall(text), *_PARTS.findall(text)}
                    count += len(words)
                    yield words
                if number >= last or count > _TOLD_MAX:
                    break


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
    by_row = list(_words_by_row(places))
    words = set().union(*by_row, cut_off(paths))
    words |= {one.t for one in rows(broken.limit(_WORDS_MAX))}
    if not words:
        return False
    table = engine.put("damaged_words", arrow.table({"t": sorted(words)}))
    engine.keep("doubted", table.select(d=engine.code(table.t)).distinct())
    if places:
        engine.put(_BY_ROW, _by_row(by_row))
    return True


def _by_row(by_row: Sequence[set[str]]) -> Any:
    """A row for each word of each damaged row that may be a name."""
    pairs = [(n, t) for n, told in enumerate(by_row) for t in told if not _is_any_number(t)]
    numbers, texts = arrow.array([n for n, _ in pairs], "int64"), [t for _, t in pairs]
    return arrow.table({"n": numbers, "t": arrow.array(texts, "string")})


#: the table of the words of damaged rows, by row
_BY_ROW: Final = "damaged_rows"
#: a number of fewer digits is as likely a part of a time, a size or a status as a name
_DIGITS_MIN: Final = 7


def _is_any_number(text: str) -> bool:
    return text.isdigit() and len(text) < _DIGITS_MIN


def lines_that_name(engine: Engine, judged: Any) -> int:
    """How many damaged rows name a delivery of which others speak: these hide no line of any other.

    Args:
        judged: all deliveries; some of them are doubted.
    """
    lines = engine.table(_BY_ROW)
    lines = lines.mutate(d=engine.code(lines.t)).semi_join(judged, "d")
    return int(row(lines.aggregate(n=lines.n.nunique())).n)


def marked(cases: Any, engine: Engine, *, has_doubted: bool) -> Any:
    """The deliveries, with whether a damaged row may speak of each."""
    if not has_doubted:
        return cases.mutate(is_doubted=ibis.literal(False))
    doubted = engine.table("doubted").mutate(is_doubted=ibis.literal(True))
    both = cases.left_join(doubted, "d").drop("d_right")
    return both.mutate(is_doubted=both.is_doubted.fill_null(False))
