"""Both SQL dialects speak of the same things by the same names."""

from __future__ import annotations

from homing.store.queries import load_queries

#: SQLite has no data-changing WITH, so the hot path is many small statements there and one here;
#: it has a planner that wants a statement per index, and one writer, so nothing to lock
ONLY_SQLITE = {
    *("application_version", "find_keys", "insert_keys", "insert_messages"),
    *("insert_deliveries", "insert_history", "insert_attempts", "insert_lines"),
    *("take_deliveries", "take_history"),
    *("count_born", "count_placed"),
    *("find_doubled", "find_unaccounted", "find_unannounced", "find_uncounted"),
    *("list_dead", "list_dead_of_app", "list_dead_of_endpoint", "list_deliveries_of_app"),
    *("log_lines", "log_lines_of_app", "message_by_event_id", "message_by_id"),
    *("add_resource", "notable_lines"),
    *("resource_by_id", "resource_by_uid"),
    *("allowances", "leases_of_app", "leases_of_endpoint", "next_lane"),
    *("count_dead", "expunge_attempts", "looked_at_lines", "message_exists"),
    *("issues_by_uids", "present_history", "present_hot", "find_unfiled", "find_misfiled"),
    *("next_dead_endpoint", "dead_since", "newest_dead"),
    "add_tally",
    *("count_lane", "count_parked", "count_dead_since"),
    *("count_newest_attempts", "sample_attempts"),
    "segments_with",
    *("purge_attempts", "purge_born_lines", "purge_history", "purge_messages", "purge_payloads"),
}

#: a round trip is dear, so one statement does the work of several; nodes meet, so some lock
ONLY_POSTGRES = {
    *("accept", "settle", "settle_late", "present_attempts", "present_deliveries"),
    *("find_key", "insert_key", "find_message", "find_resource", "ledger", "misfits"),
    *("log", "durability", "find_table", "lock_application", "lock_migrations", "renumber_log"),
    *("compare_by_hash", "count_leases", "lock_allowances", "make_allowances", "walk_lanes"),
    *("purge", "lock_messages", "lock_history", "lock_issues", "lock_issues_by_uids"),
    *("notable_log", "wait_for_messages", "dead_letters"),
    *("loads", "count_slices", "sample_slices", "walk_indexes"),
    *("add_tallies", "seen_last", "hold_indexing"),
}


def test_what_both_dialects_say_has_one_name() -> None:
    names = {
        dialect: {name.removesuffix("_descending") for name in load_queries(dialect)}
        for dialect in ("sqlite", "postgres")
    }
    assert names["sqlite"] - names["postgres"] <= ONLY_SQLITE
    assert names["postgres"] - names["sqlite"] <= ONLY_POSTGRES
