"""The same analysis on a real Spark gives the same findings."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import pytest
from support.delivery_logs import Service, full

pytest.importorskip("ibis")

from homing.forensics.document import document
from homing.forensics.investigation import Options, investigate


@pytest.mark.spark
@pytest.mark.slow
def test_spark_and_duckdb_find_the_same(tmp_path: Path, missing: object) -> None:
    pytest.importorskip("pyspark")
    if shutil.which("java") is None:
        missing("spark", "no Java, which Spark needs")  # type: ignore[operator]
    path = tmp_path / "log.jsonl"
    path.write_text(full(Service("D2", 1, deliveries=150).run())[1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Spark's own start
        options = Options(folder=str(tmp_path), engine="spark", threads=1)
        spark = document(investigate([str(path)], options))
    here = document(investigate([str(path)], Options(folder=str(tmp_path))))
    for part in ("accepted", "dropped", "books", "since", "windows", "illegal_steps"):
        assert spark[part] == here[part], part
    assert spark["hypothesis"]["mechanism"] == here["hypothesis"]["mechanism"] == "D2"
    crossings = [s for s in here["suspects"] if s["kind"] in ("crossing", "life")]
    assert [s for s in spark["suspects"] if s["kind"] in ("crossing", "life")] == crossings
