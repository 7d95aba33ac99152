"""Where this Homing was installed from: a package index, or a folder with its source."""

from __future__ import annotations

import json
import re
import shlex
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


def installing(text: str, source: Path | None) -> str:
    """A text with commands that install an extra from where Homing itself came from.

    In a checkout `pip install 'homing[postgres]'` would look for a release, or replace it by one.
    """
    if source is None:
        return text

    def command(found: re.Match[str]) -> str:
        place = shlex.quote(f"{source}[{found['extras']}]")
        return f"pip install -e {place}"

    return _EXTRA.sub(command, text)
