"""Where this Homing was installed from, an index or a folder with its source, and by which pip."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

_EXTRA: Final = re.compile(r"pip install (?P<quote>['\"])homing\[(?P<extras>[a-z,]+)\](?P=quote)")


def source_folder() -> Path | None:
    """The folder that Homing was installed from; None if it came from an index."""
    try:
        text = distribution("homing").read_text("direct_url.json")
    except PackageNotFoundError:
        return None
    url = urlsplit(json.loads(text)["url"]) if text else None
    if url is None or url.scheme != "file":
        return None
    folder = Path(unquote(url.path))
    return folder if (folder / "pyproject.toml").is_file() else None


def own_pip() -> str:
    """The command that installs into this process's environment: another `pip` may come first."""
    named = shutil.which("pip")
    if named is not None and Path(named).parent == Path(sys.executable).parent:
        return "pip"
    return f"{shlex.quote(sys.executable)} -m pip"


def installing(text: str, source: Path | None, pip: str) -> str:
    """A text with commands that install an extra beside Homing, from where Homing itself came from.

    In a checkout `pip install 'homing[postgres]'` would look for a release, or replace it by one.
    """

    def command(found: re.Match[str]) -> str:
        place = f"homing[{found['extras']}]" if source is None else f"{source}[{found['extras']}]"
        return f"{pip} install {'' if source is None else '-e '}{shlex.quote(place)}"

    return _EXTRA.sub(command, text)
