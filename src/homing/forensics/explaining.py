"""The mapping of each file of a log as an editable text, with what its words were taken for."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from homing.forensics.building import build
from homing.forensics.investigation import reading
from homing.forensics.options import Options
from homing.forensics.reading.columns import Seen
from homing.forensics.reading.converting import Damage
from homing.forensics.reading.files import Raw
from homing.forensics.reading.guessing import Unmapped
from homing.forensics.reading.mapping import NO_ROWS, many_to_toml, to_toml
from homing.forensics.reading.mapping import Mapping as ColumnMapping
from homing.forensics.reading.opening import open_log
from homing.forensics.reading.sources import sources_of


def explain(patterns: Sequence[str], options: Options) -> list[tuple[str, str]]:
    """The files, and their mapping as TOML: one for all, or a table for each.

    Where none can be guessed it is one to fill in.

    Raises:
        Unreadable: a file cannot be read.
    """
    try:
        with reading(patterns, options) as (raw, engine):
            events = build(raw, engine)
    except Unmapped:
        return _to_fill_in(patterns, options)
    texts: dict[str, list[str]] = {}
    for path, mapping in raw.mappings.items():
        text = to_toml(mapping, events.words, unused(mapping, seen_of(raw, path)))
        texts.setdefault(text, []).append(path)
    if len(texts) == 1 and not raw.nameless:
        return [(", ".join(paths[:5]), text) for text, paths in texts.items()]
    by_name = {Path(path).name: text for text, paths in texts.items() for path in paths}
    left_out = f"# it names no delivery\nlayout = {NO_ROWS!r}\n"
    by_name |= {Path(path).name: left_out for path in raw.nameless}
    return [(", ".join(list(raw.mappings)[:5]), many_to_toml(by_name))]


def seen_of(raw: Raw, path: str) -> dict[str, Seen]:
    """The columns of one file."""
    return {
        key.removeprefix(f"{path}:"): s for key, s in raw.seen.items() if key.startswith(f"{path}:")
    }


def unused(mapping: ColumnMapping, seen: Mapping[str, Seen]) -> dict[str, str]:
    """The columns that a mapping takes for nothing, with the commonest value of each."""
    used = {path for one in mapping.columns.values() for path in (one.path, *one.others)}
    return {
        path: one.values.most_common(1)[0][0]
        for path, one in seen.items()
        if path not in used and one.values
    }


def _to_fill_in(patterns: Sequence[str], options: Options) -> list[tuple[str, str]]:
    """The mapping of the first file that has none, as far as it was found."""
    with tempfile.TemporaryDirectory(prefix="homing-", dir=options.folder) as folder:
        for number, source in enumerate(sources_of(patterns)[0]):
            try:
                open_log(source, Path(folder) / f"sample{number}.jsonl", Damage())
            except Unmapped as error:
                return [
                    (source.path, to_toml(error.mapping, unused=unused(error.mapping, error.seen)))
                ]
    return []
