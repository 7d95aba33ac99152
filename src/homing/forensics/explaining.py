"""The mapping of each file of a log as an editable text, with what its words were taken for."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence

from homing.forensics.building import build
from homing.forensics.investigation import Options
from homing.forensics.mapping import to_toml
from homing.forensics.reading import connect, read


def explain(patterns: Sequence[str], options: Options) -> list[tuple[str, str]]:
    """File → its mapping as TOML; files with the same mapping are named once.

    Raises:
        Unreadable: a file cannot be read.
        ConfigError: no mapping can be guessed.
    """
    with (
        tempfile.TemporaryDirectory(prefix="homing-", dir=options.folder) as folder,
        connect(folder, options.memory, options.threads) as connection,
    ):
        raw = read(connection, patterns, folder=folder, mapping=options.mapping)
        events = build(raw)
    texts: dict[str, list[str]] = {}
    for path, mapping in raw.mappings.items():
        texts.setdefault(to_toml(mapping, events.words), []).append(path)
    return [(", ".join(paths[:5]), text) for text, paths in texts.items()]
