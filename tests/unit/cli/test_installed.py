"""An extra is installed from where Homing itself came from."""

from __future__ import annotations

from pathlib import Path

from homing.cli.installed import installing, source_folder

COMPLAINT = "PostgreSQL needs one more package: `pip install 'homing[postgres]'`"


def test_in_a_checkout_an_extra_comes_from_the_checkout() -> None:
    told = installing(COMPLAINT, Path("/opt/my homing"))
    assert told.endswith("`pip install -e '/opt/my homing[postgres]'`")


def test_of_a_release_it_comes_from_the_index() -> None:
    assert installing(COMPLAINT, None) == COMPLAINT


def test_these_tests_run_from_a_folder() -> None:
    found = source_folder()
    assert found is None or (found / "pyproject.toml").is_file()
