"""Where an incident of a file cannot be kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from homing.cli.incidents import InFile
from homing.core.errors import ConfigError
from homing.review.incident import Said, opened


@pytest.mark.parametrize("place", ["/proc/record.json", "{here}/none/record.json", "{here}/folder"])
def test_an_error_names_the_file_that_was_asked_for(tmp_path: Path, place: str) -> None:
    path = Path(place.format(here=tmp_path))
    (tmp_path / "folder").mkdir()
    made = opened(
        scope="", id="inc_1", at_us=1, actor="ana", title="drops", severity="", owner="",
        service="", objective="99.9%",
    )  # fmt: skip
    with pytest.raises(ConfigError) as found:
        InFile(path).save(made)
    assert str(found.value).startswith(f"{path}: expected a file that can be written here: ")
    assert ".incident-" not in str(found.value)
    assert [one.name for one in tmp_path.iterdir()] == ["folder"], "nothing is left beside it"


def test_a_folder_that_is_not_there_is_told_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "none" / "record.json"
    with pytest.raises(ConfigError, match=f"^{path}: its folder cannot be read: "):
        InFile(path).change(lambda _: Said(text="late"), "ana")
