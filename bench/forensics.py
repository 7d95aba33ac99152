"""How long it takes to investigate ten million lines, and how much memory: `python -m bench.forensics`.

Beside it runs what one would write by hand: a plain DuckDB script of the first three of the ten
steps (books, illegal steps, variants), which knows the columns and looks for nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import duckdb
from rich.console import Console

#: two lines for most deliveries, four for those that are tried again: 2.36 lines each
_LINES_EACH = 2.36
_MAKE = """
COPY (
WITH born AS (
    SELECT i, 1790000000000000 + CAST(i * {step} AS BIGINT) AS t, hash(i) AS h FROM range({deliveries}) r(i)
), lives AS (
    SELECT i, t, 'msg_' || lpad(CAST(i AS VARCHAR), 12, '0') AS message_id,
        'ep_' || lpad(CAST(h % 97 AS VARCHAR), 3, '0') AS endpoint_id, 'app_' || (h % 11) AS app_id,
        'node-' || (h // 97 % 4) || ':71:b8f21c:0.4.0' AS holder, (h // 1000) % 1000 < 120 AS fails,
        (h // 1000000) % 1000 < 25 AND i > {deliveries} * 0.6 AS lost, 40000 + h % 300000 AS took
    FROM born
), lines AS (
    SELECT t AS at_us, 'accepted' AS op, NULL AS from_state, 'leased' AS to_state, 0 AS vb, 1 AS va, 1 AS epoch,
        t + 30000000 AS ready, NULL AS no, NULL AS status, NULL AS took_us, NULL AS outcome, * EXCLUDE (t) FROM lives
    UNION ALL
    SELECT t + took, 'succeeded', 'leased', 'delivered', 1, 2, 1, NULL, 1, 200, took, 'ok', * EXCLUDE (t)
    FROM lives WHERE NOT fails
    UNION ALL
    SELECT t + took, 'failed', 'leased', 'waiting', 1, 2, 1, t + took + 5000000, 1, 503, took, 'status', * EXCLUDE (t)
    FROM lives WHERE fails
    UNION ALL
    SELECT t + took + 5100000, 'leased', 'waiting', 'leased', 2, 3, 2, t + 36000000, NULL, NULL, NULL, NULL, * EXCLUDE (t)
    FROM lives WHERE fails AND NOT lost
    UNION ALL
    SELECT t + took + 5200000, 'succeeded', 'leased', 'delivered', 3, 4, 2, NULL, 2, 200, 100000, 'ok', * EXCLUDE (t)
    FROM lives WHERE fails AND NOT lost
)
SELECT at_us, at_us % 100000000000 AS mono_us, holder, i AS sequence, op, message_id, endpoint_id, app_id,
    from_state, to_state, vb AS version_before, va AS version_after, 1 AS rows_written, epoch AS lease_epoch,
    CAST(ready AS BIGINT) AS ready_at_us, CAST(NULL AS VARCHAR) AS attempt_id, CAST(no AS BIGINT) AS attempt_no,
    CAST(900 + i % 300 AS BIGINT) AS request_bytes, CAST(status AS BIGINT) AS status, CAST(took_us // 2 AS BIGINT) AS first_byte_us,
    CAST(took_us AS BIGINT) AS total_us, outcome, CAST(NULL AS VARCHAR) AS reason, CAST(NULL AS VARCHAR) AS actor,
    1 AS config_version
FROM lines ORDER BY at_us
) TO '{path}' ({form})
"""
_PLAIN = """
CREATE TABLE d AS SELECT message_id, endpoint_id, min(at_us) AS accepted, arg_max(to_state, version_after) AS state,
    arg_max(ready_at_us, version_after) AS ready, max(at_us) AS last,
    string_agg(op, '>' ORDER BY version_after) AS variant FROM read_parquet('{path}') GROUP BY ALL;
SELECT accepted // 3600000000 AS hour, count(*), count(*) FILTER (WHERE state = 'delivered'),
    count(*) FILTER (WHERE state IN ('waiting', 'leased') AND ready < (SELECT max(last) FROM d) - 60000000) FROM d GROUP BY 1;
SELECT from_state, op, to_state, count(*) FROM read_parquet('{path}') GROUP BY ALL;
SELECT variant, count(*) FROM d GROUP BY 1 ORDER BY 2 DESC;
"""
_CHILD = """
import sys, time, json
from homing.forensics.investigation import investigate
from homing.forensics.options import Options
from homing.forensics.document import document
from homing.cli.forensics import forensics_progress
marks = []
start = time.perf_counter()
with forensics_progress() as show:
    def progress(step, share):
        marks.append((round(time.perf_counter() - start, 1), step))
        show(step, share)
    found = document(investigate([sys.argv[1]], Options(memory=sys.argv[2], threads=int(sys.argv[3]), folder=sys.argv[4]), progress))
print(json.dumps({"seconds": time.perf_counter() - start, "summary": found["summary"], "rows": found["rows"],
                  "mechanism": found["hypothesis"]["mechanism"], "steps": marks}))
"""


#: bytes of disk a row, at the most: of the log by its form, of sorting it while it is made, and of
#: the work on it
_LOG_BYTES: Final = {"parquet": 60, "jsonl": 480}
_SORT_BYTES: Final = 300
_WORK_BYTES: Final = 190


def disk_needed(rows: int, form: str) -> int:
    """Bytes of disk that a run takes at the most; all of it is given back at its end."""
    return rows * (_LOG_BYTES[form] + max(_SORT_BYTES, _WORK_BYTES))


def check_disk(folder: Path, rows: int, form: str) -> None:
    """Say what disk the run needs; end it where there is less."""
    needed, free = disk_needed(rows, form), shutil.disk_usage(folder).free
    text = f"{rows:,} rows need up to {needed / 2**30:,.1f} GiB of disk in {folder}"
    print(f"{text}; {free / 2**30:,.1f} GiB are free", file=sys.stderr)
    if needed > free:
        print(
            "too little: name another folder by --folder, or ask for fewer --rows", file=sys.stderr
        )
        raise SystemExit(2)


def make(path: Path, rows: int, form: str) -> None:
    """A log in which 2.5% of the retries are never picked up, from 60% of its time on."""
    deliveries = int(rows / _LINES_EACH)
    how = "FORMAT parquet, COMPRESSION zstd" if form == "parquet" else "FORMAT json"
    with duckdb.connect() as connection:
        connection.execute("SET memory_limit = '4GB'")
        connection.execute(f"SET temp_directory = '{path.parent}/making'")
        connection.execute("SET preserve_insertion_order = true")
        step = 7 * 86_400e6 / deliveries
        connection.execute(_MAKE.format(deliveries=deliveries, step=step, path=path, form=how))


def peak_of(arguments: list[str]) -> tuple[str, float, float, float]:
    """Run a process: what it printed, its seconds, those of its processors, its peak in MiB."""
    start = time.perf_counter()
    with subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, text=True) as child:
        text = child.stdout.read() if child.stdout else ""
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"failed with {child.returncode}")
    busy = used.ru_utime + used.ru_stime
    return text, time.perf_counter() - start, busy, used.ru_maxrss / 1024


def plain(path: Path, memory: str, threads: int, folder: str) -> None:
    """The script by hand, in this process."""
    connection = duckdb.connect(f"{folder}/plain.duckdb")
    connection.execute(f"SET memory_limit = '{memory}'")
    connection.execute(f"SET threads = {threads}")
    for statement in _PLAIN.format(path=path).split(";"):
        if statement.strip():
            connection.execute(statement).fetchall()


def main() -> None:
    """Make the log, run both, print what was measured as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--form", choices=["parquet", "jsonl"], default="parquet")
    parser.add_argument("--memory", default="1400MB")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--folder", help="where the log and the spill go; default: a temporary one")
    parser.add_argument("--plain", metavar="PATH", help=argparse.SUPPRESS)
    parser.add_argument("--make", metavar="PATH", help=argparse.SUPPRESS)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        if given.plain:
            plain(Path(given.plain), given.memory, given.threads, folder)
            return
        path = Path(folder) / f"log.{given.form}"
        if given.make:
            make(Path(given.make), given.rows, given.form)
            return
        check_disk(Path(folder), given.rows, given.form)
        # in a process of its own: a child's peak of memory begins at its parent's
        options = ["--make", str(path), "--rows", str(given.rows), "--form", given.form]
        with Console(stderr=True).status(f"making {given.rows:,} rows"):
            subprocess.run([sys.executable, "-m", "bench.forensics", *options], check=True)
        size = path.stat().st_size / 2**20
        print(f"{given.rows:,} rows, {size:,.0f} MiB of {given.form}", file=sys.stderr)
        text, seconds, busy, peak = peak_of(
            ["-c", _CHILD, str(path), given.memory, str(given.threads), folder]
        )
        result = {
            **json.loads(text),
            "peak_mib": round(peak),
            "log_mib": round(size),
            "form": given.form,
        }
        if given.form == "parquet":
            options = ["--memory", given.memory, "--threads", str(given.threads)]
            options += ["--folder", folder]  # so that it needs room nowhere else
            _, by_hand, by_hand_busy, by_hand_peak = peak_of(
                ["-m", "bench.forensics", "--plain", str(path), *options]
            )
            result |= {"plain_cpu_seconds": round(by_hand_busy, 1)}
            result |= {"plain_seconds": round(by_hand, 1), "plain_peak_mib": round(by_hand_peak)}
        result |= {"process_seconds": round(seconds, 1), "cpu_seconds": round(busy, 1)}
        result["load"] = os.getloadavg()[0]
        print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
