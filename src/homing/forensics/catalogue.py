"""The ways in which deliveries get lost, D1 to D12: what each leaves in a log, and what it needs. Pure."""

from __future__ import annotations

from typing import Final, NamedTuple


class Mechanism(NamedTuple):
    """One way of losing deliveries."""

    code: str
    name: str
    sentence: str  #: what happens, for the verdict
    signature: str
    needs: tuple[str, ...]  #: fields without which it cannot be seen at all
    #: rival → the fields that tell the two apart, any of which is enough, and why
    rivals: dict[str, tuple[tuple[str, ...], str]]
    skeleton: tuple[tuple[str, str, str], ...]
    settings: dict[str, str]


class Match(NamedTuple):
    """That a dropped delivery looks as a mechanism leaves it."""

    mechanism: str
    strength: float  #: 0 to 1
    what: str  #: the signature in words
    #: other mechanisms that leave the very same lines in a log with these fields
    twins: tuple[str, ...] = ()


MECHANISMS: Final = {
    m.code: m
    for m in (
        Mechanism(
            "D1",
            "retry that nobody picks up",
            "after a failed attempt a retry is planned, and no query ever selects it",
            "an attempt failed, the delivery waits with a due time, and nothing happens after it",
            ("status",),
            {
                "D2": (
                    ("to_state", "due"),
                    "whether it waits for a retry or is still marked as in progress",
                ),
                "D4": (("claimed", "sent"), "whether a worker had taken it for its retry"),
                "D6": (
                    ("worker", "epoch", "version_before", "version_after"),
                    "whether another worker's late write cleared the retry",
                ),
                "D7": (
                    ("claimed", "sent", "lapsed", "lease_until"),
                    "whether a lease ran out on its retry",
                ),
                "D8": (("claimed",), "whether a second turn met a marker of the first"),
                "D12": (("due",), "whether the poller passed its due time"),
                "D11": (("purged", "due"), "whether it was deleted before it was due"),
            },
            (
                ("publisher", "accept", "one delivery"),
                ("A", "claim", "attempt 1"),
                ("receiver", "respond", "503"),
                ("A", "write", "waiting, with a retry time"),
                ("B", "poll", "the query does not select it, now or ever"),
            ),
            {"retry_selected": "false"},
        ),
        Mechanism(
            "D2",
            "left in progress after a failure",
            "after a failed attempt the delivery stays marked as in progress, so nobody takes it again",
            "claim, failed attempt, then nothing; the state still says that a worker has it",
            ("status",),
            {
                "D1": (
                    ("to_state", "due"),
                    "whether it waits for a retry or is still marked as in progress",
                ),
                "D4": (
                    ("claimed", "sent"),
                    "whether a worker took it again before it fell silent",
                ),
                "D5": (("to_state", "said"), "whether it is called delivered all the same"),
                "D6": (
                    ("worker", "epoch", "version_before", "version_after"),
                    "whether a second worker had it too",
                ),
                "D7": (("to_state", "lease_until", "lapsed"), "whether a lease ran out on it"),
                "D8": (("claimed", "to_state"), "whether a second turn met a marker of the first"),
                "D11": (("to_state", "due", "purged"), "whether it was deleted before its turn"),
            },
            (
                ("publisher", "accept", "one delivery"),
                ("A", "claim", "state = processing"),
                ("receiver", "respond", "500"),
                ("A", "fail", "records the failure, does not reset the state"),
                ("B", "poll", "selects pending only, so never this one"),
            ),
            {"reset_after_failure": "false"},
        ),
        Mechanism(
            "D3",
            "stored but never queued",
            "the delivery is committed, and the hand-over to the queue is lost between the two writes",
            "accepted, and no line after it; a later duplicate may be skipped as already known",
            ("accepted",),
            {
                "D4": (("queued",), "whether it had reached the queue"),
                "D9": (("endpoint", "reason"), "whether its endpoint was switched off or gone"),
                "D12": (
                    ("commit_lag_ms", "committed_at"),
                    "whether a poller passed it because it committed late",
                ),
                "D11": (("purged",), "whether a clean-up deleted it"),
            },
            (
                ("publisher", "accept", "the row is committed"),
                ("A", "crash", "before the queue has it"),
                ("publisher", "accept", "again, with the same key"),
                ("database", "skip", "already known, so not queued"),
            ),
            {"outbox": "false"},
        ),
        Mechanism(
            "D4",
            "taken from the queue by a worker that died",
            "a worker takes the delivery off a queue that keeps no copy, and dies before it has tried",
            "accepted and queued or popped, then no attempt and no second turn",
            ("accepted",),
            {
                "D3": (("queued", "claimed"), "whether it had reached the queue"),
                "D2": (("status", "outcome"), "whether the worker had tried it"),
                "D8": (
                    ("worker", "lapsed", "sent"),
                    "whether a second turn met a marker of the first",
                ),
                "D12": (("commit_lag_ms", "committed_at"), "whether a poller passed it"),
            },
            (
                ("publisher", "accept", "one delivery"),
                ("publisher", "enqueue", "into a list"),
                ("A", "pop", "the list has it no more"),
                ("A", "crash", "before the request"),
            ),
            {"queue_durable": "false"},
        ),
        Mechanism(
            "D5",
            "called delivered without success",
            "the delivery is marked as delivered although its last attempt failed",
            "state delivered, and no attempt of it was answered with 2xx",
            ("to_state", "status"),
            {
                "D6": (
                    ("worker", "epoch", "version_before", "version_after"),
                    "whether the mark came from another worker's late write",
                ),
                "D8": (("sent", "claimed"), "whether a second turn marked it without trying"),
            },
            (
                ("publisher", "accept", "one delivery"),
                ("A", "claim", "attempt 1"),
                ("receiver", "respond", "not 2xx, or a callback that is not the last"),
                ("A", "write", "delivered"),
            ),
            {"final_check": "false"},
        ),
        Mechanism(
            "D6",
            "lost update by a stale worker",
            "a worker that no longer holds the delivery writes its late result over what another has written since",
            "two workers' turns overlap and the older one's write comes after the newer one's turn began",
            ("attempt|worker|epoch|version_before",),
            {
                "D7": (
                    ("epoch", "lease_until", "lapsed"),
                    "whether the lease that ran out was itself counted as a failure",
                ),
                "D5": (("worker", "epoch"), "whether the same worker wrote the state"),
                "D2": (("to_state",), "whether the state was left as it was or written over"),
            },
            (
                ("A", "claim", "attempt 1, lease until L"),
                ("A", "send", "the receiver is slow"),
                ("database", "expire", "L passes"),
                ("B", "claim", "attempt 2"),
                ("B", "send", "fails; a retry is due"),
                ("A", "write", "its late result, over B's row: no version is checked"),
            ),
            {"lease_checked_at_write": "false"},
        ),
        Mechanism(
            "D7",
            "lease that ran out counted as the end",
            "a lease that ran out is counted as a final failure instead of giving the delivery to the next worker",
            "a lease runs out, then a final failure or nothing, with attempts left",
            ("lapsed|lease_until|to_state",),
            {
                "D6": (
                    ("epoch", "worker", "version_before", "version_after"),
                    "whether a late write of the first worker ended it",
                ),
                "D2": (("lease_until", "lapsed"), "whether the lease ran out at all"),
            },
            (
                ("A", "claim", "attempt 1, lease until L"),
                ("A", "send", "the receiver is slow"),
                ("database", "expire", "L passes"),
                ("B", "reap", "counts it as failed for good"),
            ),
            {"requeue_on_lapse": "false"},
        ),
        Mechanism(
            "D8",
            "swallowed by a marker of work in progress",
            "a second turn finds the marker of the first, which has died, and ends the delivery without trying it",
            "a second turn ends within milliseconds, with no request",
            ("claimed",),
            {
                "D3": (("claimed",), "whether it had been taken before it was skipped"),
                "D4": (("claimed",), "whether a second worker had taken it at all"),
                "D6": (("sent", "status"), "whether the second turn made a request"),
                "D9": (("reason",), "whether its endpoint was switched off"),
            },
            (
                ("A", "claim", "sets the marker"),
                ("A", "crash", "the marker stays"),
                ("B", "claim", "finds the marker"),
                ("B", "finish", "at once, with no request"),
            ),
            {"marker_expires": "false"},
        ),
        Mechanism(
            "D9",
            "thrown away because of its endpoint",
            "the event is passed over because its endpoint is disabled or gone, and nobody is told",
            "discarded with no person or rule named, or a message with no delivery at all",
            ("accepted",),
            {
                "D3": (
                    ("reason", "queued"),
                    "whether the hand-over failed rather than being left out",
                ),
                "D11": (("purged",), "whether it was there and was deleted"),
            },
            (
                ("publisher", "accept", "one event"),
                ("database", "read", "the endpoint is disabled or missing"),
                ("A", "discard", "no row, no reason, no actor"),
            ),
            {"park_when_disabled": "false"},
        ),
        Mechanism(
            "D10",
            "dead letter that was never made",
            "the retries come to their end and the move to the dead letters fails",
            "as many attempts as are allowed, the last one failed, and no dead letter",
            ("attempt",),
            {
                "D1": (("max_attempts", "exhausted"), "whether attempts were left"),
                "D11": (("purged",), "whether the dead letter was deleted later"),
            },
            (
                ("A", "claim", "the last attempt"),
                ("receiver", "respond", "503"),
                ("A", "dead_letter", "the target refuses or is missing"),
                ("A", "ack", "anyway"),
            ),
            {"dead_letter_confirmed": "false"},
        ),
        Mechanism(
            "D11",
            "deleted before it was finished",
            "a clean-up or a time to live deletes rows that are not finished, or a due time lies beyond it",
            "deleted while waiting, or due later than anything is kept",
            ("purged|due",),
            {
                "D3": (("purged",), "whether it was ever there"),
                "D9": (("reason",), "whether it was removed because of its endpoint"),
                "D1": (("due",), "whether its due time is beyond reason"),
            },
            (
                ("publisher", "accept", "one delivery"),
                ("A", "fail", "a retry is due after the retention"),
                ("database", "purge", "rows older than the retention, whatever their state"),
            ),
            {"purge_finished_only": "false"},
        ),
        Mechanism(
            "D12",
            "passed by the poller's cursor",
            "the poller's cursor moves past rows that were not yet committed when it looked",
            "accepted and never listed; those whose transaction was long are hit",
            ("accepted",),
            {
                "D3": (
                    ("commit_lag_ms", "committed_at", "queued"),
                    "whether the row committed late or its hand-over failed",
                ),
                "D4": (("queued", "claimed"), "whether a worker had taken it"),
                "D9": (("endpoint", "reason"), "whether its endpoint was switched off"),
            },
            (
                ("publisher", "begin", "takes number 7, stays open"),
                ("publisher", "accept", "number 8, commits"),
                ("A", "poll", "reads up to 8, remembers 8"),
                ("publisher", "commit", "number 7"),
                ("A", "poll", "reads after 8: never 7"),
            ),
            {"cursor_waits_for_open": "false"},
        ),
    )
}
