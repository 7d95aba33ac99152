"""The mapping of each file of a log as an editable text, with what its words were taken for."""

from __future__ import annotations

from collections.abc import Sequence

from homing.forensics.building import build
from homing.forensics.investigation import Options, reading
from homing.forensics.mapping import to_toml


def explain(patterns: Sequence[str], options: Options) -> list[tuple[str, str]]:
    """File → its mapping as TOML; files with the same mapping are named once.

    Raises:
        Unreadable: a file cannot be read.
        ConfigError: no mapping can be guessed.
    """
    with reading(patterns, options) as (raw, engine):
        events = build(raw, engine)
    texts: dict[str, list[str]] = {}
    for path, mapping in raw.mappings.items():
        texts.setdefault(to_toml(mapping, events.words), []).append(path)
    return [(", ".join(paths[:5]), text) for text, paths in texts.items()]
