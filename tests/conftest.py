"""What a test may ask for, and what is said when this machine does not have it."""

from __future__ import annotations

import asyncio
import gc
import itertools
import os
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import hypothesis
import pytest
from support import postgres
from support.last_seen import last_seen

#: what a machine may lack; `--require` names those that it must have
NEEDS = ("postgres", "browser", "node", "sdk", "faketime", "netns", "prometheus", "spark")

# The same draws each time, and no limit of time to one: what gates a change must depend neither on
# luck nor on what else the machine does. New draws: `pytest --hypothesis-profile=search`.
hypothesis.settings.register_profile(
    "gate",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.register_profile("search", deadline=None, max_examples=1_000)
hypothesis.settings.load_profile("gate")

_TEMPLATE = f"homing_template_{os.getpid()}"
_count = itertools.count(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require",
        default="",
        metavar="NEEDS",
        help=f"fail, rather than skip, where one of these is missing: {','.join(NEEDS)}",
    )


def pytest_configure(config: pytest.Config) -> None:
    unknown = _required(config) - set(NEEDS)
    if unknown:
        raise pytest.UsageError(f"--require={','.join(sorted(unknown))}: expected {NEEDS}")


def pytest_collection_finish() -> None:
    """Leave what was imported out of each later collection: with all packages loaded, a seventh of
    an investigation's time went into looking through them again."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(trylast=True)  # when it is known which are left out
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What draws at random for minutes may take them; what is slow comes early.

    A slow test that a worker begins last keeps the others waiting. xdist gives each worker one
    piece of the list, so each piece has its share of the slow ones, spread over its first half.
    Tests of a file stay together, or each worker would make what its fixtures make for all.
    """
    for item in items:
        if item.get_closest_marker("explore"):
            item.add_marker(pytest.mark.timeout(0))
    slow = [item for item in items if item.get_closest_marker("slow")]
    quick = [item for item in items if not item.get_closest_marker("slow")]
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    left = iter(quick)
    items[:] = [
        item
        for worker, size in enumerate(_shares(len(items), workers))
        for item in _early(slow[worker::workers], left, size)
    ]


def _shares(count: int, workers: int) -> Iterator[int]:
    """How many each worker gets at first, as xdist counts."""
    for left in range(workers, 0, -1):
        yield count // left
        count -= count // left


def _early(
    slow: list[pytest.Item], left: Iterator[pytest.Item], size: int
) -> Iterator[pytest.Item]:
    """So many: the slow ones, each with some files of quick ones after it, and then the rest."""
    quick = itertools.islice(left, size - len(slow))
    files = [list(of) for _, of in itertools.groupby(quick, lambda item: item.path)]
    some = len(files) // (2 * len(slow)) if slow else 0
    for place, item in enumerate(slow):
        yield item
        yield from itertools.chain(*files[place * some : (place + 1) * some])
    yield from itertools.chain(*files[len(slow) * some :])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    call: pytest.CallInfo[None],
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A wait that took too long says what it saw last."""
    report = yield
    if call.excinfo is not None and call.excinfo.errisinstance(TimeoutError):
        report.sections.append(("what was seen last", last_seen(call.excinfo)))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line for each reason why something was not tested."""
    reasons = Counter(
        report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        for report in terminalreporter.stats.get("skipped", [])
    )
    if reasons:
        terminalreporter.section("NOT TESTED", yellow=True)
    for reason, count in sorted(reasons.items()):
        terminalreporter.line(f"{count} x {reason.removeprefix('Skipped: ')}", yellow=True)


def _required(config: pytest.Config) -> set[str]:
    return {need for need in config.getoption("--require").split(",") if need}


@pytest.fixture(scope="session", autouse=True)
def _own_options_only() -> None:
    """A pytest that a test starts is not given the options of the one that runs the test."""
    os.environ.pop("PYTEST_ADDOPTS", None)


Missing = Callable[[str, str], NoReturn]


@pytest.fixture(scope="session")
def missing(pytestconfig: pytest.Config) -> Missing:
    """Call `missing("node", "not on PATH")` to skip, or to fail where `--require` says so."""

    def missing(need: str, reason: str) -> NoReturn:
        assert need in NEEDS, need
        if need in _required(pytestconfig):
            pytest.fail(f"{need} is required but missing: {reason}")
        pytest.skip(f"{need}: {reason}")

    return missing


@pytest.fixture(scope="session")
def postgres_server(missing: Missing) -> Iterator[postgres.Server]:
    """A PostgreSQL server of this process (with xdist, of this worker), free to be restarted."""
    try:
        postgres.find_programs()
    except postgres.Absent as absent:
        missing("postgres", str(absent))
    server = postgres.create(Path(tempfile.mkdtemp(prefix="homing-postgres-")))
    server.launch()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def postgres_admin(request: pytest.FixtureRequest) -> str:
    """The URL to make databases with: HOMING_TEST_POSTGRES, or else a server of our own."""
    given = os.environ.get("HOMING_TEST_POSTGRES")
    if given:
        return given
    server: postgres.Server = request.getfixturevalue("postgres_server")
    return server.url


@pytest.fixture(scope="session")
def postgres_template(postgres_admin: str) -> Iterator[str]:
    """The name of a database with today's schema, made once and copied for each test."""
    asyncio.run(_make_template(postgres_admin))
    yield _TEMPLATE
    asyncio.run(execute(postgres_admin, f"DROP DATABASE {_TEMPLATE}"))


@pytest.fixture
async def postgres_empty_url(postgres_admin: str) -> AsyncIterator[str]:
    """The URL of a new database with nothing in it."""
    async with _database(postgres_admin, "template1") as url:
        yield url


@pytest.fixture
async def postgres_url(postgres_admin: str, postgres_template: str) -> AsyncIterator[str]:
    """The URL of a new database with today's schema."""
    async with _database(postgres_admin, postgres_template) as url:
        yield url


@asynccontextmanager
async def _database(admin_url: str, template: str) -> AsyncIterator[str]:
    name = f"homing_test_{os.getpid()}_{next(_count)}"
    await execute(admin_url, f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield url_of(admin_url, name)
    finally:
        await execute(admin_url, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


async def _make_template(admin_url: str) -> None:
    from homing.store.postgres import open_postgres

    await execute(admin_url, f"CREATE DATABASE {_TEMPLATE}")
    store = await open_postgres(url_of(admin_url, _TEMPLATE), migrate=True)
    await store.close()


async def execute(url: str, statement: str) -> None:
    """Have one or several statements done."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def url_of(url: str, database: str) -> str:
    """The URL of another database of the same server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))
