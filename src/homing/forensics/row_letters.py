"""The letters by which a history of rows says what was done to one: inserted, updated, deleted. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from homing.forensics.operations import Word
from homing.forensics.vocabulary import meaning

_DONE: Final = {"i": "insert", "u": "update", "d": "delete"}


def row_letters(texts: Iterable[str]) -> dict[str, Word]:
    """What the words of a column mean, if they are such letters; a lone letter says nothing."""
    found = {text: _DONE.get(text.strip().lower(), "") for text in texts}
    if not {"insert", "update"} <= set(found.values()) <= set(_DONE.values()):
        return {}
    return {text: meaning(done) for text, done in found.items()}
