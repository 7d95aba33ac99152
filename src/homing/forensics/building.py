"""Makes the narrow table of events, in one order, from the raw rows of any log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from homing.forensics.expressions import literal
from homing.forensics.reading import Progress, Raw
from homing.forensics.sources import Unreadable
from homing.forensics.vocabulary import Op, Stand, Word, meaning
from homing.forensics.words import Behaviour, Kind, Line, by_behaviour, line_of

#: a log of more kinds of reasons than this keeps them out of the meaning of its lines
_REASONS_MAX: Final = 100
_KINDS_MAX: Final = 5_000
_KEYED: Final = "COALESCE(delivery, message) IS NOT NULL"
#: columns of the events that are texts by number; `names` has the texts
CODED: Final = ("worker", "endpoint", "app", "event_type", "build", "config")


@dataclass(slots=True)
class Events:
    """The table `events`, and what is known of it as a whole."""

    connection: Any
    rows: int
    first_us: int
    last_us: int
    words: dict[str, str]  #: the log's word → what it was taken for
    assumed: list[str]  #: words taken for something by what their lines do, in sentences
    ops: frozenset[Op]  #: that occur
    extras: list[str]
    keyless: int  #: rows with a time and no delivery
    timeless: int
    fine_clock: bool  #: times are finer than whole seconds


def build(raw: Raw, progress: Progress = lambda step, share: None) -> Events:
    """The table `events` of the raw rows: a line each, or two where a row tells of two times.

    Raises:
        Unreadable: no row names a delivery and a time.
    """
    connection = raw.connection
    progress("understanding the words", 0.0)
    if raw.has("trace"):
        _follow_traces(connection)
    _link(connection)
    words, assumed = _learn(raw)
    why = _why(connection)
    _kinds(raw, words, why)
    progress("ordering", 0.3)
    keyless, timeless = connection.execute(
        "SELECT count(*) FILTER (WHERE at_any IS NOT NULL AND k IS NULL), "
        "count(*) FILTER (WHERE at_any IS NULL AND k IS NOT NULL) FROM "
        "(SELECT COALESCE(at_us, changed_us, accepted_us) AS at_any, COALESCE(delivery, message) AS k, "
        "layout FROM raw) WHERE layout IS NOT NULL"
    ).fetchall()[0]
    _lines(connection, len(raw.extras), why)
    _events(raw)
    progress("ordering", 0.9)
    _names(connection, raw)
    rows, first, last, fine = connection.execute(
        "SELECT count(*), min(at_us), max(at_us), avg(CASE WHEN at_us % 1000000 <> 0 THEN 1.0 ELSE 0 END) FROM events"
    ).fetchall()[0]
    if not rows:
        raise Unreadable(
            f"{next(iter(raw.mappings))}, line 1: no row names both a delivery and a time; "
            "look at the mapping with --explain-mapping"
        )
    ops = connection.execute("SELECT DISTINCT act FROM events").fetchall()
    shown = _shown_words(connection)
    return Events(
        connection,
        rows,
        first,
        last,
        shown,
        assumed,
        frozenset(Op(o) for (o,) in ops),
        list(raw.extras),
        keyless - raw.twice,
        timeless,
        (fine or 0.0) > 0.1,
    )


def _follow_traces(connection: Any) -> None:
    """Rows that name no delivery belong to the one that others of their trace name, if it is one."""
    connection.execute(
        "CREATE TEMP TABLE traced AS SELECT trace, min(delivery) AS delivery, min(message) AS message, "
        "min(endpoint) AS endpoint FROM raw WHERE trace IS NOT NULL AND (delivery IS NOT NULL OR "
        "message IS NOT NULL) GROUP BY trace HAVING count(DISTINCT COALESCE(delivery, message)) = 1"
    )
    described = connection.execute("SELECT * FROM parts LIMIT 0").description
    there = [name for name, *_ in described if name in ("delivery", "message", "endpoint")]
    connection.execute(
        f"UPDATE parts SET {', '.join(f'{name} = traced.{name}' for name in there)} FROM traced "
        f"WHERE parts.trace = traced.trace AND {' AND '.join(f'parts.{n} IS NULL' for n in there if n != 'endpoint')}"
    )
    connection.execute("DROP TABLE traced")


def _link(connection: Any) -> None:
    """Rows that know only the message belong to its delivery, or stand for it where there is none."""
    connection.execute(
        "CREATE TABLE link AS SELECT message AS id, min(delivery) AS of_message FROM raw "
        "WHERE delivery IS NOT NULL AND message IS NOT NULL AND EXISTS "
        "(SELECT 1 FROM raw WHERE delivery IS NULL AND message IS NOT NULL) GROUP BY message"
    )
    # where a delivery is named by message and endpoint, and some rows lack the endpoint
    connection.execute(
        "INSERT INTO link SELECT message, min(message || '/' || endpoint) FROM raw "
        "WHERE delivery IS NULL AND message IS NOT NULL AND endpoint IS NOT NULL AND EXISTS "
        "(SELECT 1 FROM raw WHERE delivery IS NULL AND message IS NOT NULL AND endpoint IS NULL) "
        "GROUP BY message"
    )
    connection.execute("DELETE FROM link WHERE of_message IS NULL")
    connection.execute(
        "CREATE TABLE lonely AS SELECT id, min(of_message) AS of_message FROM link GROUP BY id"
    )
    connection.execute("DROP TABLE link")


#: the numbers and names in a sentence; a status of HTTP stays
_PARTICULARS: Final = r"[\w.:/-]*\d[\w.:/-]{3,}|[\w.:/-]{3,}\d[\w.:/-]*|\b\d{1,2}\b"


def _why(connection: Any) -> str:
    """The reason as far as it belongs to a line's meaning: whole, or without what is particular in
    it, or, where even so there are many, not at all."""
    general = f"regexp_replace(reason, {literal(_PARTICULARS)}, '#', 'g')"
    for why in ("reason", general):
        found = connection.execute(
            f"SELECT count(*) FROM (SELECT DISTINCT {why} FROM raw LIMIT {_REASONS_MAX + 1})"
        ).fetchall()[0][0]
        if found <= _REASONS_MAX:
            return why
    return "CAST(NULL AS VARCHAR)"


def _learn(raw: Raw) -> tuple[dict[str, Word], list[str]]:
    """The meaning of words that no list has, by how their lines behave."""
    declared_words = {w for m in raw.mappings.values() for w in m.words}
    learned: dict[str, Word] = {}
    assumed: list[str] = []
    for column in ("op_raw", "to_raw"):
        texts = [
            t
            for (t,) in raw.connection.execute(
                f"SELECT DISTINCT {column} FROM raw WHERE {column} IS NOT NULL AND {_KEYED} "
                f"ORDER BY 1 LIMIT {_KINDS_MAX}"
            ).fetchall()
        ]
        unknown = [
            t
            for t in texts
            if meaning(t, is_state=column == "to_raw").op is Op.UNKNOWN and t not in declared_words
        ]
        if column == "to_raw" and texts and all(t.lstrip("-").isdigit() for t in texts):
            unknown = [t for t in texts if t not in declared_words]
        taken = _taken_later(raw, column, [t for t in texts if t not in declared_words])
        learned |= dict.fromkeys(taken, Word(Op.CLAIMED, Stand.LEASED))
        for text, seen in _behaviours(raw, column, unknown).items():
            word = by_behaviour(seen)
            if word.op is not Op.UNKNOWN:
                learned[text] = word
                assumed.append(
                    f"{text!r} was taken for {word.op.name.lower()} by what its {seen.rows} lines do "
                    f"({seen.ends:.0%} of the deliveries end with it)"
                )
    return learned, assumed


#: fewer lines of a word than this share begin a delivery: it is no acceptance
_FIRST_MIN: Final = 0.2


def _taken_later(raw: Raw, column: str, texts: list[str]) -> list[str]:
    """Of several words that sound like an acceptance (`event accepted`, `record received`), those
    that hardly ever come first: by them a worker takes what another accepted."""
    accepting = [t for t in texts if meaning(t, is_state=column == "to_raw").op is Op.ACCEPTED]
    if len(accepting) < 2:
        return []
    seen = _behaviours(raw, column, accepting)
    later = [text for text, one in seen.items() if one.is_first < _FIRST_MIN]
    return later if len(later) < len(seen) else []


def _behaviours(raw: Raw, column: str, unknown: list[str]) -> dict[str, Behaviour]:
    if not unknown:
        return {}
    names = ", ".join(map(literal, unknown))
    rows = raw.connection.execute(
        f"""
        WITH lines AS (
            SELECT COALESCE(delivery, message || COALESCE('/' || endpoint, '')) AS k, {column} AS word,
                status, row(COALESCE(changed_us, at_us), rowid) AS place FROM raw
            WHERE {_KEYED}
        ), ends AS (
            SELECT k, arg_min(word, place) AS first_word, arg_max(word, place) AS last_word
            FROM lines GROUP BY k
        )
        SELECT word, count(*), avg(CASE WHEN status BETWEEN 200 AND 299 THEN 1.0 ELSE 0.0 END),
            avg(CASE WHEN status NOT BETWEEN 200 AND 299 THEN 1.0 ELSE 0.0 END),
            (SELECT count(*) FROM ends WHERE first_word = word),
            (SELECT count(*) FROM ends WHERE last_word = word),
            (SELECT count(*) FROM ends)
        FROM lines WHERE word IN ({names}) GROUP BY word
        """
    ).fetchall()
    return {
        word: Behaviour(n, first / n, last / n, ok or 0.0, bad or 0.0, last / max(total, 1))
        for word, n, ok, bad, first, last, total in rows
    }


_STATUS: Final = (
    "CASE WHEN status IS NULL THEN 'none' WHEN status BETWEEN 200 AND 299 THEN 'ok' ELSE 'bad' END"
)

_PENDS: Final = "CASE WHEN pending IS NULL THEN NULL WHEN pending = 0 THEN 0 ELSE 1 END"


def _kind_of(prefix: str, why: str, status: str, pends: str) -> str:
    """The number of a line's kind: a hash of its words, so that the join is on one number."""
    words = ", ".join(
        f"{prefix}{name}" for name in ("layout", "op_raw", "from_raw", "to_raw", "outcome_raw")
    )
    return f"hash({words}, {why}, {status}, {pends})"


def _kinds(raw: Raw, learned: dict[str, Word], why: str) -> None:
    """The table `kinds`: what lines with the same words mean."""
    connection = raw.connection
    connection.execute(
        f"CREATE TABLE kinds AS SELECT row_number() OVER () AS kind, {_kind_of('', 'why', 'class', 'pends')} AS code, *, 0::TINYINT AS op, "
        f"0::TINYINT AS stand, 0::TINYINT AS before, 0::TINYINT AS result FROM (SELECT layout, op_raw, "
        f"from_raw, to_raw, outcome_raw, {why} AS why, {_STATUS} AS class, "
        f"{_PENDS} AS pends, "
        f"count(*) AS lines FROM raw WHERE {_KEYED} GROUP BY ALL)"
    )
    words = {w: o for m in raw.mappings.values() for w, o in m.words.items()}
    found = connection.execute(
        "SELECT kind, layout, op_raw, from_raw, to_raw, outcome_raw, why, class, pends FROM kinds"
    ).fetchall()
    cache: dict[Kind, Line] = {}
    updates = []
    for number, *rest in found:
        kind = Kind(*rest)
        line = cache.get(kind) or cache.setdefault(kind, line_of(kind, words, learned))
        updates.append((number, int(line.op), int(line.stand), int(line.before), line.result))
    connection.execute(
        "CREATE TEMP TABLE meant (kind BIGINT, op INT, stand INT, before INT, result INT)"
    )
    for at in range(0, len(updates), 500):
        values = ", ".join(str(u) for u in updates[at : at + 500])
        connection.execute(f"INSERT INTO meant VALUES {values}")
    connection.execute(
        "UPDATE kinds SET op = meant.op, stand = meant.stand, before = meant.before, "
        "result = meant.result FROM meant WHERE meant.kind = kinds.kind"
    )


def _hash(text: str) -> str:
    return f"CAST(hash({text}) >> 1 AS BIGINT)"


def _coded(text: str) -> str:
    return f"CASE WHEN {text} IS NULL THEN NULL ELSE {_hash(text)} END"


def _lines(connection: Any, extras_count: int, why: str) -> None:
    """The table `lines`: narrow, unordered; a table of deliveries gives two lines a row."""
    is_reasoned = connection.execute("SELECT count(why) FROM kinds").fetchall()[0][0]
    kind = _kind_of(
        "r.",
        why.replace("reason", "r.reason") if is_reasoned else "CAST(NULL AS VARCHAR)",
        _STATUS.replace("status", "r.status"),
        _PENDS.replace("pending", "r.pending"),
    )
    has_link = connection.execute("SELECT count(*) FROM lonely").fetchall()[0][0] > 0
    join = "LEFT JOIN lonely ON r.delivery IS NULL AND lonely.id = r.message " if has_link else ""
    linked = "lonely.of_message" if has_link else "CAST(NULL AS VARCHAR)"
    key = (
        f"COALESCE(r.delivery, CASE WHEN r.endpoint IS NULL THEN {linked} END, "
        "r.message || COALESCE('/' || r.endpoint, ''))"
    )
    connection.execute(
        f"""
        CREATE VIEW meant_rows AS
        SELECT r.rowid AS line, {_hash(key)} AS d, {key} AS key_text, r.*,
            k.op AS op, k.stand AS stand, k.before AS from_stand, k.result AS result
        FROM raw r JOIN kinds k ON {kind} = k.code {join}
        """
    )
    worker = "CASE WHEN worker IS NULL THEN boot WHEN boot IS NULL THEN worker ELSE worker || ':' || boot END"
    shared = (
        f"CAST(COALESCE(attempt, retries + 1) AS INT) AS attempt, epoch, {_coded(worker)} AS worker, "
        f"version_before, version_after, rows_written, CAST(status AS INT) AS status, total_us, "
        f"COALESCE(due_us, CASE WHEN stand <> {int(Stand.LEASED)} THEN ready_us END) AS due_us, "
        f"COALESCE(lease_us, CASE WHEN stand = {int(Stand.LEASED)} THEN ready_us END) AS lease_us, "
        f"{_coded('endpoint')} AS endpoint, {_coded('app')} AS app, {_coded('event_type')} AS event_type, "
        f"{_coded('build')} AS build, {_coded('config')} AS config, bytes, accepted_us, "
        f"CAST(max_attempts AS INT) AS max_attempts, "
        f"COALESCE(commit_lag_us, committed_us - COALESCE(accepted_us, at_us)) AS commit_lag_us, "
        f"actor IS NOT NULL AS has_actor"
    )
    extras = "".join(f", {_coded(f'x{i}')} AS x{i}" for i in range(extras_count))
    nothing = (
        "NULL AS attempt, NULL AS epoch, NULL AS worker, NULL, NULL, NULL, NULL, NULL, NULL, NULL, "
        f"{_coded('endpoint')}, {_coded('app')}, {_coded('event_type')}, {_coded('build')}, "
        f"{_coded('config')}, bytes, accepted_us, CAST(max_attempts AS INT), "
        "COALESCE(commit_lag_us, committed_us - COALESCE(accepted_us, at_us)), false"
    )
    last = "COALESCE(finished_us, changed_us, at_us, accepted_us)"
    # clocks differ: what is last in a row is not before its acceptance
    last = (
        f"CASE WHEN layout = 'deliveries' THEN GREATEST({last}, COALESCE(accepted_us, at_us)) "
        f"ELSE {last} END"
    )
    connection.execute(
        f"""
        CREATE TABLE lines AS
        SELECT line, 1::TINYINT AS part, d, COALESCE(at_us, accepted_us) AS at_us, op, stand, from_stand,
            result, {shared}{extras}
        FROM meant_rows WHERE layout = 'events' AND {_KEYED} AND op <> {int(Op.STARTED)}
        UNION ALL
        SELECT line, 1, d, {last}, op, stand, from_stand, result, {shared}{extras}
        FROM meant_rows WHERE layout <> 'events' AND {_KEYED}
        UNION ALL
        SELECT line, 0, d, started_us, {int(Op.SENT)}, {int(Stand.LEASED)}, 0, 0, {shared}{extras}
        FROM meant_rows WHERE layout = 'attempts' AND started_us IS NOT NULL AND {_KEYED}
            AND started_us < {last}
        UNION ALL
        SELECT line, 0, d, COALESCE(accepted_us, at_us), {int(Op.ACCEPTED)}, {int(Stand.WAITING)}, 0, 0,
            {nothing}{extras}
        FROM meant_rows WHERE layout = 'deliveries' AND {_KEYED} AND COALESCE(accepted_us, at_us) IS NOT NULL
        """
    )


#: which of two lines of one delivery is first if their times are equal and their places say nothing
_NATURAL: Final = (
    (Op.ACCEPTED,),
    (Op.QUEUED, Op.RESUMED),
    (Op.CLAIMED,),
    (Op.SENT,),
    (Op.ATTEMPTED,),
    (Op.FAILED, Op.SUCCEEDED),
    (Op.LAPSED, Op.WRITTEN, Op.RELEASED),
    (Op.RETRY, Op.POSTPONED),
    (Op.EXHAUSTED,),
)
#: of the lines, those that are earlier than the one before: more, and their places say nothing
_DESCENTS_MAX: Final = 0.05


def _events(raw: Raw) -> None:
    """The table `events`: `lines` numbered by time, and where times are equal by their place."""
    connection = raw.connection
    if _is_in_order(connection):
        connection.execute(
            "CREATE VIEW events AS SELECT line + 1 AS pos, * RENAME (op AS act) FROM lines"
        )
        return
    newest_first = _newest_first(connection)
    place = f"{'-' if newest_first else ''}line, part"
    if _is_mixed(raw, newest_first=newest_first):
        place = f"{_natural_place()}, {place}"
    connection.execute(
        f"""
        CREATE TABLE events AS
        SELECT CAST(row_number() OVER (ORDER BY at_us, {place}) AS BIGINT) AS pos, * RENAME (op AS act)
        FROM lines WHERE at_us IS NOT NULL
        """
    )
    connection.execute("DROP TABLE lines")


def _natural_place() -> str:
    """The order of a life, one attempt after the other."""
    ranks = " ".join(
        f"WHEN op IN ({', '.join(str(int(op)) for op in ops)}) THEN {rank}"
        for rank, ops in enumerate(_NATURAL)
    )
    first = f"op IN ({int(Op.ACCEPTED)}, {int(Op.QUEUED)})"
    attempt = f"COALESCE(attempt, CASE WHEN {first} THEN 0 ELSE 9999 END)"
    return f"{attempt}, CASE {ranks} ELSE {len(_NATURAL)} END"


def _is_mixed(raw: Raw, *, newest_first: bool) -> bool:
    """Whether the place of a line says nothing of its time: rows in no order, or files side by side,
    as of several workers."""
    wrong = ">" if newest_first else "<"
    descents, rows = raw.connection.execute(
        f"SELECT count(*) FILTER (WHERE at_us {wrong} before), count(*) FROM (SELECT at_us, "
        "lag(at_us) OVER () AS before FROM raw)"
    ).fetchall()[0]
    if descents > _DESCENTS_MAX * rows:
        return True
    begins = [row for row, _ in raw.starts[1:]]
    if not begins:
        return False
    beside = raw.connection.execute(
        f"SELECT count(*) FROM (SELECT rowid AS line, at_us, lag(at_us) OVER () AS before FROM raw) "
        f"WHERE line IN ({', '.join(map(str, begins))}) AND at_us {wrong} before"
    ).fetchall()[0][0]
    return bool(beside)


def _is_in_order(connection: Any) -> bool:
    """Whether every line has a time and none is earlier than the one before: nothing to sort."""
    wrong = connection.execute(
        "SELECT count(*) FROM (SELECT at_us, layout, lag(at_us) OVER () AS before FROM raw) "
        "WHERE at_us IS NULL OR at_us < before OR layout <> 'events'"
    ).fetchall()[0][0]
    return bool(wrong == 0)


def _newest_first(connection: Any) -> bool:
    """Whether the log was written from its end, as lists of an API are."""
    first, last = connection.execute(
        "SELECT avg(at_us) FILTER (WHERE line < 0.1 * most), avg(at_us) FILTER (WHERE line > 0.9 * most) "
        "FROM lines, (SELECT max(line) AS most FROM lines)"
    ).fetchall()[0]
    return first is not None and last is not None and first > last


def _names(connection: Any, raw: Raw) -> None:
    """The table `names`: the text of each coded value that is not rare beyond use."""
    connection.execute("CREATE TABLE names (field VARCHAR, code BIGINT, text VARCHAR)")
    worker = "CASE WHEN worker IS NULL THEN boot WHEN boot IS NULL THEN worker ELSE worker || ':' || boot END"
    for field in (*CODED, *(f"x{i}" for i in range(len(raw.extras)))):
        text = worker if field == "worker" else field
        connection.execute(
            f"INSERT INTO names SELECT {literal(field)}, {_hash('t')}, t FROM "
            f"(SELECT {text} AS t, count(*) AS n FROM raw GROUP BY 1 ORDER BY n DESC, t LIMIT 20000) "
            "WHERE t IS NOT NULL"
        )


def _shown_words(connection: Any) -> dict[str, str]:
    """For `--explain-mapping`: each word of the log and what its lines mostly are."""
    rows = connection.execute(
        "SELECT COALESCE(op_raw, to_raw, outcome_raw) AS word, arg_max(op, (lines, op)) FROM kinds "
        "GROUP BY 1 HAVING word IS NOT NULL ORDER BY sum(lines) DESC, word LIMIT 100"
    ).fetchall()
    return {word: Op(op).name.lower() for word, op in rows}
