"""An extra is installed from where Homing itself came from."""

from __future__ import annotations

from pathlib import Path

import pytest

from homing.cli.installed import installing, own_pip, source_folder

COMPLAINT = "PostgreSQL needs one more package: `pip install 'homing[postgres]'`"


def test_in_a_checkout_an_extra_comes_from_the_checkout() -> None:
    told = installing(COMPLAINT, Path("/opt/my homing"), "pip")
    assert told.endswith("`pip install -e '/opt/my homing[postgres]'`")


def test_of_a_release_it_comes_from_the_index() -> None:
    assert installing(COMPLAINT, None, "pip") == COMPLAINT


def test_it_goes_to_the_environment_of_the_process_whatever_pip_comes_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    python = tmp_path / "bin" / "python"
    pip = tmp_path / "bin" / "pip"
    pip.parent.mkdir()
    pip.touch(0o755)
    monkeypatch.setattr("sys.executable", str(python))
    monkeypatch.setenv("PATH", "/usr/bin")
    assert own_pip() == f"{python} -m pip"
    told = installing(COMPLAINT, None, own_pip())
    assert told.endswith(f"`{python} -m pip install 'homing[postgres]'`")
    monkeypatch.setenv("PATH", f"{pip.parent}:/usr/bin")
    assert own_pip() == "pip"


def test_these_tests_run_from_a_folder() -> None:
    found = source_folder()
    assert found is None or (found / "pyproject.toml").is_file()
