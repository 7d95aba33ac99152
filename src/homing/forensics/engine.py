"""Where the analysis is computed: DuckDB here, Spark, or a warehouse that Ibis speaks to."""

from __future__ import annotations

import functools
import importlib
import inspect
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from homing.core.errors import ConfigError
from homing.forensics.reading.expressions import literal
from homing.forensics.reading.sources import Unreadable, missing_extra
from homing.forensics.rows import portable, sql_of

#: in another one's database: what is kept there while the analysis runs
_PREFIX: Final = "homing_"
#: between the parts of what is hashed together, and for a part that is nothing
_BETWEEN, _NOTHING = "\x1f", "\x1e"
_POSITIVE: Final = (1 << 63) - 1


class Engine:
    """Keeps tables by name and gives texts numbers; the analysis asks for nothing else."""

    def __init__(self, backend: Any) -> None:
        self.backend = backend
        self._kept: set[str] = set()
        self._tables: dict[str, Any] = {}  #: as they were made: asking for their columns takes time
        self._catalog: str | None = None  #: of DuckDB, where the tables are that are read

    @property
    def is_duckdb(self) -> bool:
        """Whether it computes in this process."""
        return bool(self.backend.name == "duckdb")

    def attach(self, path: str) -> None:
        """Have the tables of a file of DuckDB to read; what is kept stays out of it.

        Raises:
            ConfigError: it is none, or somebody else is writing to it.
        """
        try:
            self.backend.raw_sql(f"ATTACH {literal(path)} AS there (READ_ONLY)")
        except Exception as error:
            text = f"--engine duckdb://{path}: expected a database of DuckDB that can be read; "
            raise ConfigError([text + _first_line(error)]) from error
        self._catalog = "there"

    def source(self, name: str) -> Any:
        """A table of those whose log it is: `table`, or `schema.table`."""
        *where, table = name.split(".")
        if self._catalog is not None:
            where = [self._catalog, *(where or ["main"])]
        return self.backend.table(table, database=tuple(where) or None)

    def table(self, name: str) -> Any:
        """A table that is kept."""
        named = self._named(name)
        return self._tables[named] if named in self._tables else self._look_up(named)

    def keep(self, name: str, expression: Any) -> Any:
        """Compute an expression once and keep what it gives, as a table."""
        named = self._named(name)
        if self.is_duckdb:
            self.backend.raw_sql(f"CREATE OR REPLACE TABLE {named} AS {sql_of(expression)}")
        elif self.backend.name == "pyspark":
            # what has been computed is cut off from how: a plan that holds all the plans before it
            # is slow to make
            frame = self.backend._session.sql(self.backend.compile(expression))
            frame.localCheckpoint().createOrReplaceTempView(named)
        else:
            self._create(named, portable(expression, self.backend.name))
        return self._look_up(named)

    def name(self, name: str, expression: Any) -> Any:
        """Give an expression a name without computing it."""
        if not self.is_duckdb:
            return expression
        self.backend.raw_sql(f"CREATE OR REPLACE VIEW {name} AS {sql_of(expression)}")
        return self._look_up(name)

    def put(self, name: str, rows: Any) -> Any:
        """Keep a small table of Arrow."""
        named = self._named(name)
        if self.is_duckdb:
            self.backend.con.register("put_here", rows)
            self.backend.raw_sql(f"CREATE OR REPLACE TABLE {named} AS SELECT * FROM put_here")
            self.backend.con.unregister("put_here")
        elif self.backend.name == "pyspark":
            self.backend._session.createDataFrame(rows).createOrReplaceTempView(named)
        else:
            self._create(named, rows)
        return self._look_up(named)

    def drop(self, name: str) -> None:
        """Give back the room of a table that is not asked for any more."""
        self._tables.pop(self._named(name), None)
        if self.is_duckdb:
            self.backend.raw_sql(f"DROP TABLE {name}")
        else:
            self._drop(self._named(name))

    def code(self, *columns: Any) -> Any:
        """A number of 63 bits that stands for one text, or for several together."""
        if self.is_duckdb:
            function = _builtin("hash", tuple(str(one.type()) for one in columns), "uint64")
            return (function(*columns) >> 1).cast("int64")
        texts = [one.cast("string").fill_null(_NOTHING) for one in columns]
        text = functools.reduce(lambda all_, one: all_ + _BETWEEN + one, texts)
        if self.backend.name == "pyspark":  # its own hash has 32 bits
            return _builtin("xxhash64", ("string",), "int64")(text) & _POSITIVE
        return text.hash() & _POSITIVE

    def builtin(self, name: str, column: Any, *, gives: str) -> Any:
        """What a function of the engine itself gives for a column."""
        return _builtin(name, (str(column.type()),), gives)(column)

    def pattern(self, text: str) -> str:
        """A regular expression in this engine's dialect."""
        return text.replace(r"\b", r"\y") if self.backend.name == "postgres" else text

    def _look_up(self, named: str) -> Any:
        table = self._tables[named] = self.backend.table(named)
        return table

    def _named(self, name: str) -> str:
        return name if self.is_duckdb else f"{_PREFIX}{name.removeprefix(_PREFIX)}"

    def _create(self, named: str, rows: Any) -> None:
        self._drop(named)
        is_temporary = bool(self.backend.supports_temporary_tables)
        self.backend.create_table(named, rows, temp=is_temporary)
        self._kept.add(named)
        if self.backend.name == "postgres":  # nobody else looks at a temporary table
            self._run(f"ANALYZE {named}")

    def _drop(self, named: str) -> None:
        if named in self._kept:
            self._run(f"DROP TABLE IF EXISTS {named}")
            self._kept.discard(named)

    def _run(self, statement: str) -> None:
        # in words of its own: with sqlglot 30, Ibis 12 forgets which table it drops
        with closing(self.backend.raw_sql(statement)):
            pass

    def close(self) -> None:
        """Drop what was kept in another one's database, and leave it."""
        # who does not answer any more has dropped what was temporary, and has said why before
        with suppress(Exception):
            for named in sorted(self._kept):
                self._drop(named)
            self.backend.disconnect()


@functools.cache
def _builtin(name: str, kinds: tuple[str, ...], gives: str) -> Any:
    """A function that the engine has, for arguments of these types."""
    ibis = _ibis()

    def function(*_: Any) -> Any: ...

    one = inspect.Parameter.POSITIONAL_ONLY
    names = [inspect.Parameter(f"a{i}", one) for i in range(len(kinds))]
    function.__signature__ = inspect.Signature(names)  # type: ignore[attr-defined]
    return ibis.udf.scalar.builtin(function, name=name, signature=(kinds, gives))


def _ibis() -> Any:
    try:
        return importlib.import_module("ibis")
    except ImportError as error:
        raise missing_extra(error) from error


def on_duckdb(connection: Any) -> Engine:
    """The engine for a connection of DuckDB.

    Raises:
        ConfigError: Ibis is not installed.
    """
    return Engine(_ibis().duckdb.from_connection(connection))


@contextmanager
def elsewhere(name: str, threads: int = 2) -> Iterator[Engine]:
    """The engine of that name: `spark`, or the URL of a warehouse as Ibis takes it.

    Raises:
        ConfigError: it is not installed, or cannot be reached.
        Unreadable: it cannot compute what is asked of it.
    """
    ibis = _ibis()
    engine = Engine(_spark(ibis, threads) if name == "spark" else _connected(ibis, name))
    try:
        yield engine
    except Exception as error:
        # each driver has errors of its own
        if type(error).__module__.partition(".")[0] in ("builtins", "homing", "click"):
            raise
        text = f"{engine.backend.name} cannot compute this: {_first_line(error)}"
        raise Unreadable(f"{text}; export the table to Parquet and investigate that") from error
    finally:
        engine.close()


def _connected(ibis: Any, url: str) -> Any:
    scheme, _, path = url.partition("://")
    if scheme == "sqlite" and not Path(path).is_file():  # it would be made
        raise ConfigError([f"--engine {url}: expected a database of SQLite; there is no such file"])
    try:
        return ibis.connect(url)
    except ImportError as error:
        text = f"--engine {scheme}: needs the package {error.name}: "
        raise ConfigError([text + f"`pip install 'ibis-framework[{scheme}]'`"]) from error
    except Exception as error:
        # each driver has errors of its own, and some of them repeat the password
        text = f"--engine {scheme}:…: expected a URL of a warehouse that answers; "
        raise ConfigError([text + f"found {type(error).__name__}: {_hidden(url, error)}"]) from None


def _hidden(url: str, error: Exception) -> str:
    secret = url.partition("@")[0].rpartition(":")[2] if "@" in url else ""
    text = _first_line(error)
    return text.replace(secret, "…") if len(secret) > 1 else text


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__


def _spark(ibis: Any, threads: int) -> Any:
    """The session of the environment (`SPARK_REMOTE`), or a local one with as many threads."""
    try:
        session = importlib.import_module("pyspark.sql").SparkSession
    except ImportError as error:
        raise ConfigError(
            ["--engine spark needs one more package: `pip install 'homing[spark]'`, and a Java"]
        ) from error
    builder = session.builder.appName("homing investigate")
    if "SPARK_REMOTE" not in os.environ:  # a local one: 200 partitions would be 200 tiny tasks
        builder = builder.master(f"local[{threads}]")
        builder = builder.config("spark.sql.shuffle.partitions", str(2 * threads))
        builder = builder.config("spark.ui.enabled", "false")
        builder = builder.config("spark.ui.showConsoleProgress", "false")
        builder = builder.config("spark.driver.host", "127.0.0.1")
        builder = builder.config("spark.sql.session.timeZone", "UTC")
    spark = builder.getOrCreate()
    if "SPARK_REMOTE" not in os.environ:
        # an error is what it calls a plan that it does not compile but interprets
        spark.sparkContext.setLogLevel("FATAL")
    return ibis.pyspark.connect(spark)
