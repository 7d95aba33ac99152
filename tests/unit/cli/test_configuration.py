"""Where settings come from, and the secret that is kept beside a SQLite file."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from homing.cli.configuration import keep_secret, load_settings, origins, sqlite_path
from homing.core.errors import ConfigError


@pytest.fixture(autouse=True)
def _empty_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in [name for name in os.environ if name.startswith("HOMING_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_the_secret_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    first, second = load_settings(), load_settings()
    assert first.secret == second.secret
    path = tmp_path / "homing.db.secret"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(first.secret.reveal()) >= 32
    assert [p.name for p in tmp_path.iterdir()] == ["homing.db.secret"]


def test_asking_without_making_makes_nothing(tmp_path: Path) -> None:
    assert not load_settings(make_secret=False).secret
    assert not list(tmp_path.iterdir())


def test_each_setting_says_where_it_comes_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "homing.toml").write_text("lease_s = 90\ndrain_s = 30\n")
    monkeypatch.setenv("HOMING_DRAIN_S", "40")
    found = origins(load_settings())
    assert found["HOMING_LEASE_S"] == "homing.toml"
    assert found["HOMING_DRAIN_S"] == "environment"
    assert found["HOMING_SECRET"] == "homing.db.secret"
    assert found["HOMING_WORKERS"] == "default"


def test_processes_that_start_at_once_agree_on_the_secret(tmp_path: Path) -> None:
    path = tmp_path / "x.secret"
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: keep_secret(path), range(50)))
    assert len(found) == 1


def test_a_secret_that_others_can_read_stops_the_start(tmp_path: Path) -> None:
    load_settings()
    (tmp_path / "homing.db.secret").chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        load_settings()


def test_an_empty_secret_file_is_not_taken_for_a_secret(tmp_path: Path) -> None:
    path = tmp_path / "homing.db.secret"
    path.touch(0o600)
    with pytest.raises(ConfigError, match="empty"):
        load_settings()


def test_no_second_secret_is_made_for_a_database_that_was_made_with_another(
    tmp_path: Path,
) -> None:
    (tmp_path / "homing.db").touch()
    with pytest.raises(ConfigError, match="restore it, or set HOMING_SECRET"):
        load_settings()
    assert not load_settings(make_secret=False).secret
    assert [p.name for p in tmp_path.iterdir()] == ["homing.db"]


def test_a_file_in_the_folder_is_read_and_the_command_line_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "homing.toml").write_text('workers = 3\nlisten = "127.0.0.1:1"\n')
    monkeypatch.setenv("HOMING_WORKERS", "4")
    settings = load_settings(listen="127.0.0.1:2", workers=None)
    assert (settings.workers, settings.listen) == (4, "127.0.0.1:2")


def test_a_file_that_was_asked_for_must_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMING_CONFIG", "elsewhere.toml")
    with pytest.raises(ConfigError, match="there is no such file"):
        load_settings()


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///a/b.db", Path("a/b.db")),
        ("sqlite:////a/b.db", Path("/a/b.db")),
        ("postgresql://host/name", None),
        ("memory:", None),
    ],
)
def test_only_a_sqlite_url_names_a_file(url: str, path: Path | None) -> None:
    assert sqlite_path(url) == path
