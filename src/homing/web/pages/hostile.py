"""Text that somebody else wrote, made safe to look at. Pure.

Templates escape HTML by themselves; this is about what is left: characters that move, hide or turn
what is around them, bytes that are no text, and more of it than anybody reads.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import msgspec

#: of a payload or an answer, bytes that a page shows
SHOWN_BYTES_MAX: Final = 65_536
#: of one line of text, such as a header's value or a tag
SHOWN_CHARACTERS_MAX: Final = 2_000

#: C0 without tab and line end, DEL, C1, what joins or hides, what turns the direction of writing,
#: line and paragraph separators, surrogates, the byte order mark, tags
_UNSEEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0"
    "\ufff0-\ufffb\U000e0000-\U000e0fff]"
)


class Shown(NamedTuple):
    """A body as a page shows it."""

    text: str
    size: int  #: of all of it, in bytes
    is_cut: bool  #: there is more than is shown
    is_formatted: bool  #: JSON, laid out for reading; its bytes are not those that were sent
    is_text: bool  #: valid UTF-8


def plain(text: str | None, most: int = SHOWN_CHARACTERS_MAX) -> str:
    """A line of somebody else's text; what cannot be seen is named, such as `⟨U+202E⟩`."""
    if text is None:
        return ""
    cut = text[:most]
    # The ends of lines too: this is one line.
    named = _UNSEEN.sub(_named, cut).replace("\r", "⟨U+000D⟩").replace("\n", "⟨U+000A⟩")
    return named + ("…" if len(text) > most else "")


def body(content: bytes, most: int = SHOWN_BYTES_MAX) -> Shown:
    """A payload or an answer, cut and made visible.

    Args:
        most: bytes that are shown.
    """
    is_cut = len(content) > most
    cut = content[:most]
    text, is_formatted = None, False
    if not is_cut and cut[:1] in (b"{", b"["):
        try:
            laid_out = msgspec.json.format(cut, indent=2)
        except msgspec.DecodeError:
            pass
        else:
            # Nesting must not make a page of a few bytes long.
            is_formatted = len(laid_out) <= 4 * most
            cut = laid_out if is_formatted else cut
    try:
        text = (_whole(cut) if is_cut else cut).decode()
        is_text = True
    except UnicodeDecodeError:
        text = cut.decode("utf-8", "backslashreplace")
        is_text = False
    text = _UNSEEN.sub(_named, text.replace("\r\n", "\n"))
    return Shown(text, len(content), is_cut, is_formatted, is_text)


def _whole(cut: bytes) -> bytes:
    """Without the beginning of a character that was cut through."""
    for back in range(1, min(4, len(cut)) + 1):
        if cut[-back] & 0xC0 != 0x80:
            return cut[:-back] if cut[-back] >= 0xC0 else cut
    return cut


def _named(match: re.Match[str]) -> str:
    character = match.group()
    if character < "\x20":  # the pictures that Unicode has of them
        return chr(0x2400 + ord(character))
    if character == "\x7f":
        return "\u2421"
    return f"⟨U+{ord(character):04X}⟩"
