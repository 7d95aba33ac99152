"""Where the analysis is computed: DuckDB here, Spark, or another engine that Ibis speaks to."""

from __future__ import annotations

import importlib
import os
from typing import Any

from homing.core.errors import ConfigError
from homing.forensics.sources import missing_extra


class Engine:
    """Keeps tables by name; the analysis asks for nothing else."""

    def __init__(self, backend: Any, folder: str = "") -> None:
        self.backend = backend
        self._folder = folder

    def table(self, name: str) -> Any:
        """A table that is there."""
        return self.backend.table(name)

    def keep(self, name: str, expression: Any) -> Any:
        """Compute an expression once and keep what it gives, as a table."""
        if self.backend.name == "duckdb":
            select = self.backend.compile(expression)
            self.backend.raw_sql(f"CREATE OR REPLACE TABLE {name} AS {select}")
            return self.backend.table(name)
        # written down, not cached: a plan that holds all the plans before it is slow to make
        path = f"{self._folder}/{name}.parquet"
        session = self.backend._session
        session.sql(self.backend.compile(expression)).write.mode("overwrite").parquet(path)
        self.backend.create_view(name, self.backend.read_parquet(path), overwrite=True)
        return self.backend.table(name)

    def bring_home(self, name: str, table: Any, connection: Any) -> None:
        """Copy a table into DuckDB, where the rows of the log are."""
        arrow = table.to_pyarrow()
        connection.register("brought_home", arrow)
        connection.execute(f"CREATE OR REPLACE TABLE {name} AS SELECT * FROM brought_home")
        connection.unregister("brought_home")


def on_duckdb(connection: Any) -> Engine:
    """The engine for a connection of DuckDB.

    Raises:
        ConfigError: Ibis is not installed.
    """
    try:
        ibis = importlib.import_module("ibis")
    except ImportError as error:
        raise missing_extra(error) from error
    return Engine(ibis.duckdb.from_connection(connection))


def on_spark(connection: Any, folder: str, threads: int = 2) -> Engine:
    """The engine for Spark: the events go there as Parquet.

    The session is the one of the environment (`SPARK_REMOTE`), or a local one with as many threads.

    Raises:
        ConfigError: PySpark is not installed.
    """
    try:
        ibis = importlib.import_module("ibis")
        session = importlib.import_module("pyspark.sql").SparkSession
    except ImportError as error:
        raise ConfigError(
            ["--engine spark needs one more package: `pip install 'homing[spark]'`, and a Java"]
        ) from error
    path = f"{folder}/events.parquet"
    connection.execute(f"COPY events TO '{path}' (FORMAT parquet)")
    builder = session.builder.appName("homing investigate")
    if "SPARK_REMOTE" not in os.environ:  # a local one: 200 partitions would be 200 tiny tasks
        builder = builder.master(f"local[{threads}]")
        builder = builder.config("spark.sql.shuffle.partitions", str(2 * threads))
        builder = builder.config("spark.ui.enabled", "false")
        builder = builder.config("spark.driver.host", "127.0.0.1")
        builder = builder.config("spark.sql.session.timeZone", "UTC")
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    backend = ibis.pyspark.connect(spark)
    backend.create_view("events", backend.read_parquet(path), overwrite=True)
    return Engine(backend, folder)
