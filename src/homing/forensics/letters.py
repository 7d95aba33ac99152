"""Dead letters: which words are for one, and when a line of one says why there is none. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from homing.forensics.operations import Op
from homing.forensics.vocabulary import meaning, normal

#: words for a dead letter, and for where it is kept
LETTERS: Final = r"dead[-_. ]?(letter|box|mail)|dlq|dlx|dlt|graveyard|morgue|cemeter|(^|[^a-z])(bury|buried|burial)|quarantin"
_OF_LETTERS: Final = re.compile(rf"{LETTERS}|letter")


def is_letter(word: str | None) -> bool:
    """Whether a word is one for a dead letter itself."""
    return word is not None and _OF_LETTERS.search(normal(word)) is not None


def unexplained(told: Iterable[tuple[str | None, str | None, int]]) -> frozenset[str]:
    """The words for dead letters, if most of their lines give no reason.

    Args:
        told: the word and the reason of lines, and how many say so.
    """
    letters = [one for one in told if is_letter(one[0]) and meaning(one[0]).op is Op.DEAD]
    bare = sum(-n if reason else n for _, reason, n in letters)
    return frozenset(str(word) for word, _, _ in letters) if bare > 0 else frozenset()


#: why something could not be stored
_OF_STORE: Final = re.compile(
    r"channel|broker|exchange|queue|topic|stream|too_(long|large|big)|memory|(^|_)oom(_|$)|disk|no_space|constraint|"
    r"duplicate_key|deadlock|permission|denied|unauthori|quota|not_allowed|read_?only|truncat|seriali[sz]|"
    r"connection|time[d_]*out|unavailable|unreachable|refused"
)

#: what no receiver answers, and a database or a queue does
_OF_DATABASE: Final = re.compile(
    r"sqlstate|value_too_long|violates|deadlock_detected|maxmemory|no_space_left|disk_full|read_only_transaction|"
    r"statement_timeout|too_many_connections|not_present_in_metadata"
)


def reasons_of_attempts(told: Iterable[tuple[str | None, str | None]]) -> frozenset[str]:
    """The reasons that lines of something else than dead letters give: what attempts came to.

    Args:
        told: the word and the reason of lines.
    """
    return frozenset(reason for word, reason in told if reason and not is_letter(word))


def is_not_stored(
    word: str | None, reason: str | None, bare: frozenset[str], tried: frozenset[str]
) -> bool:
    """Whether the line of a dead letter says why there is none.

    Args:
        bare: the words for dead letters of a log in which most give no reason.
        tried: the reasons why attempts failed.
    """
    why = normal(reason or "")
    if not is_letter(word):
        return False
    is_odd = word in bare and reason not in tried and _OF_STORE.search(why) is not None
    return is_odd or _OF_DATABASE.search(why) is not None
