"""Which promise each invariant keeps, and when it must hold. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from homing.insight.evidence import Books, Breach
from homing.insight.invariants import (
    dead_only_when_exhausted,
    due_within_reach,
    every_decision_has_its_attempt,
    every_step_is_legal,
    everything_comes_to_its_end,
    leases_are_numbered,
    ledger_balances,
    no_stale_write,
    nothing_called_late_was_written,
    nothing_is_doubled,
    one_holder_per_lease,
    row_is_its_last_line,
    the_end_is_final,
    unfinished_is_due,
)
from homing.insight.witnessed import (
    delivered_means_2xx,
    every_2xx_leaves_a_trace,
    every_answer_is_recorded,
    every_send_is_written_ahead,
    followers_see_every_line,
    nothing_is_lost,
)

Invariant = Callable[[Books], list[Breach]]

#: the promises, by their number in the README
PROMISES: Final = {
    1: "accepted means durable",
    2: "nothing is unaccounted for",
    3: "one decision at a time",
    4: "at least once",
    5: "a dead letter is never lost, and never silent",
    6: "a person's hand never shortens the machine's work",
}

#: what holds after every commit, with the promise that it keeps
AT_ANY_MOMENT: Final[dict[Invariant, int]] = {
    nothing_is_lost: 1,
    nothing_is_doubled: 2,
    unfinished_is_due: 2,
    due_within_reach: 4,
    no_stale_write: 3,
    every_step_is_legal: 3,
    leases_are_numbered: 3,
    the_end_is_final: 3,
    row_is_its_last_line: 3,
    one_holder_per_lease: 3,
    every_send_is_written_ahead: 3,
    delivered_means_2xx: 4,
    nothing_called_late_was_written: 3,
    every_decision_has_its_attempt: 3,
    dead_only_when_exhausted: 6,
}
#: what holds only once faults have stopped and everything had the time to come to its end
AT_REST: Final[dict[Invariant, int]] = {
    everything_comes_to_its_end: 4,
    every_answer_is_recorded: 3,
    every_2xx_leaves_a_trace: 3,
    followers_see_every_line: 2,
}
#: by name, with the one that is asked of the ledger
PROMISE_OF: Final = {
    ledger_balances.__name__: 2,
    **{one.__name__: promise for one, promise in (AT_ANY_MOMENT | AT_REST).items()},
}


def breaches(
    books: Books, *, at_rest: bool = False, known: Collection[Invariant] = ()
) -> list[Breach]:
    """Everything that is wrong with these books.

    Args:
        at_rest: whether faults have stopped and everything had the time to end.
        known: invariants that have been looked at line by line already.
    """
    invariants = AT_ANY_MOMENT | AT_REST if at_rest else AT_ANY_MOMENT
    return [found for one in invariants if one not in known for found in one(books)]
