"""The safeguards, what each stands against, and what is in its place when it is taken out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

import msgspec

from homing.insight.evidence import Breach
from homing.sim import naive
from homing.sim.node import LIMITS, Parts


@dataclass(frozen=True, slots=True, kw_only=True)
class Safeguard:
    """One mechanism that keeps deliveries."""

    name: str
    against: str  #: the ways to lose a delivery, D1 to D12, that it stands against
    does: str  #: what production does
    instead: str  #: what is done without it
    breaks: str  #: the invariant that then does not hold
    #: how its sentence begins when it is for this reason, between two processes; several are
    #: separated by "|"; empty: any
    sign: str = ""
    #: words in the two operations that cross, the earlier one first; None: found by looking
    crosses: tuple[str, str] | None = None
    without: Parts
    present: Parts = field(default_factory=Parts)  #: with it; for most, simply production

    def is_broken_by(self, breach: Breach) -> bool:
        """Whether it is what comes of the lack of this safeguard."""
        if breach.invariant != self.breaks or not self.sign:
            return breach.invariant == self.breaks
        before, after = (text.rpartition(" by ")[2] for text in (breach.before, breach.after))
        return breach.text.startswith(tuple(self.sign.split("|"))) and before != after


_CAPLESS: Final = msgspec.structs.replace(
    LIMITS, policy=msgspec.structs.replace(LIMITS.policy, retry_after_max_s=1e9)
)
_LOGGING: Final = Parts(store=naive.SnapshotLog, faulty_store=naive.TransactionStore)
_CLEANING: Final = Parts(keep_s=8.0)

SAFEGUARDS: Final = (
    Safeguard(
        name="poll",
        against="D1",
        does="asks the database for what is due every now and then, told or not",
        instead="looks only when woken",
        breaks="everything_comes_to_its_end",
        without=Parts(dispatcher=naive.WokenOnly),
    ),
    Safeguard(
        name="lease-expiry",
        against="D2",
        does="a lease is a due time: what its holder left behind comes up again",
        instead="claims only what is waiting",
        breaks="everything_comes_to_its_end",
        without=Parts(store=naive.NeverReclaiming),
    ),
    Safeguard(
        name="born-in-one-transaction",
        against="D3",
        does="message, deliveries and keys are one commit",
        instead="the message and its key first, the deliveries in a second commit",
        breaks="nothing_is_lost",
        without=Parts(store=naive.TwoTransactions, faulty_store=naive.TwoStepAccept),
    ),
    Safeguard(
        name="written-ahead-lease",
        against="D4",
        does="a claim writes the lease; the row stays",
        instead="a claim takes the row out and keeps it in memory",
        breaks="nothing_is_lost",
        without=Parts(store=naive.Popping),
    ),
    Safeguard(
        name="atomic-settle",
        against="D5",
        does="state, attempt and log line are one commit",
        instead="the state first, attempt and log line in a second commit",
        breaks="delivered_means_2xx",
        without=Parts(store=naive.TwoTransactions, faulty_store=naive.TwoStepSettle),
    ),
    Safeguard(
        name="shielded-settle",
        against="D5",
        does="an outcome is written by a task of its own, without a deadline",
        instead="one deadline for the request and for writing what came of it",
        breaks="every_answer_is_recorded",
        without=Parts(dispatcher=naive.OneDeadline),
    ),
    Safeguard(
        name="retry-settle",
        against="D5",
        does="an outcome is tried until the database takes it",
        instead="tried once",
        breaks="every_answer_is_recorded",
        without=Parts(dispatcher=naive.SettlesOnce),
    ),
    Safeguard(
        name="settle-twice",
        against="D5",
        does="a commit whose answer was lost is recognised when it is tried again",
        instead="the second try is taken for a late outcome",
        breaks="nothing_called_late_was_written",
        without=Parts(store=naive.Forgetful),
    ),
    Safeguard(
        name="fence",
        against="D6",
        does="a decision is written only over the version it was made on",
        instead="written over whatever is there",
        breaks="no_stale_write",
        sign="succeeded by|failed by",  # a late outcome, not one wish over another
        without=Parts(store=naive.Unfenced),
    ),
    Safeguard(
        name="quarantine-counts-only-lapses",
        against="D7",
        does="a lapsed lease counts as nothing; only several in a row are a quarantine",
        instead="a lapsed lease is the last failure",
        breaks="dead_only_when_exhausted",
        crosses=("", "gives up"),
        without=Parts(dispatcher=naive.LapseIsFinal),
    ),
    Safeguard(
        name="no-marker",
        against="D8",
        does="there is no mark beside the row",
        instead="a mark that is found means that it was sent",
        breaks="delivered_means_2xx",
        crosses=("", "succeeded"),
        without=Parts(dispatcher=naive.Marking),
    ),
    Safeguard(
        name="park",
        against="D9",
        does="a disabled endpoint's deliveries are kept, parked",
        instead="a disabled endpoint gets no delivery",
        breaks="nothing_is_lost",
        crosses=("disables", "is told"),
        without=Parts(intake=naive.Skipping),
    ),
    Safeguard(
        name="level-triggered-sweep",
        against="D9",
        does="parked deliveries are resumed by looking, again and again",
        instead="resumed once, at the moment of enabling",
        breaks="everything_comes_to_its_end",
        crosses=("enables an endpoint", "parked"),
        without=Parts(sweeper=naive.OnEdge, sweeps_on_enable=True),
    ),
    Safeguard(
        name="fanout-version",
        against="D9",
        does="a fan-out is stored only if the endpoints are still those it was computed from",
        instead="stored whatever became of them",
        breaks="nothing_is_lost",
        crosses=("creates an endpoint", "is told"),
        without=Parts(store=naive.Unversioned),
    ),
    Safeguard(
        name="dead-in-place",
        against="D10",
        does="dead is a state, written with the last failure",
        instead="deleted here, inserted there",
        breaks="nothing_is_lost",
        without=Parts(store=naive.TwoTransactions, faulty_store=naive.TwoStepDead),
    ),
    Safeguard(
        name="retention-spares-unfinished",
        against="D11",
        does="clean-up takes finished rows only",
        instead="clean-up takes what is old",
        breaks="nothing_is_lost",
        crosses=("", "deletes it"),
        without=replace(_CLEANING, cleans_unfinished=True),
        present=_CLEANING,
    ),
    Safeguard(
        name="retry-after-cap",
        against="D11",
        does="a receiver can put a delivery off for a bounded time",
        instead="for as long as it says",
        breaks="due_within_reach",
        crosses=("sees 503", "failed"),
        without=replace(Parts(), limits=_CAPLESS),
    ),
    Safeguard(
        name="log-cursor",
        against="D12",
        does="a reader of the log stops short of transactions that are still open",
        instead="reads on, and its cursor passes what commits late",
        breaks="followers_see_every_line",
        without=replace(_LOGGING, store=naive.NumberedLog),
        present=_LOGGING,
    ),
    Safeguard(
        name="resend-resumes",
        against="promise 6",
        does="after a resend the retries that were planned stand",
        instead="a resend takes their place",
        breaks="dead_only_when_exhausted",
        crosses=("resends", "failed"),
        without=Parts(journal=naive.Shortening),
    ),
)

BY_NAME: Final = {one.name: one for one in SAFEGUARDS}
