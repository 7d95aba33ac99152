"""Finds somebody's worker by its name, and says what is wrong with it in one sentence."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from homing.core.errors import Invalid, Problem

_FORM: Final = "expected package.module:Worker or path/to/file.py:Worker"
_OURS: Final = str(Path(__file__).parents[2])


def unusable(text: str) -> Invalid:
    """The worker cannot be explored; `text` says why."""
    return Invalid([Problem(("worker",), text)])


@cache
def load_worker(name: str) -> Any:
    """The class, or the function that makes workers, of that name.

    Args:
        name: `package.module:Name`, looked for in the working directory first, or
            `path/to/file.py:Name`.

    Raises:
        Invalid: there is no such thing, or importing it failed; with file and line.
    """
    place, colon, attribute = name.rpartition(":")
    if not colon or not place or not attribute:
        raise unusable(f"{_FORM}; found {name!r}")
    module = _import(place)
    worker = getattr(module, attribute, None)
    if worker is None:
        have = ", ".join(n for n, v in vars(module).items() if callable(getattr(v, "run", None)))
        hint = f"; it has {have}" if have else ""
        raise unusable(f"{place} has no {attribute!r}{hint}")
    if not callable(worker):
        raise unusable(f"{name} is no class and no function, but {type(worker).__name__}")
    return worker


def _import(place: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        if place.endswith(".py"):
            return _import_file(Path(place))
        return importlib.import_module(place)
    except Invalid:
        raise
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        if isinstance(error, ModuleNotFoundError) and _is_part(error.name, place):
            text = f"there is no module {error.name!r} in {here} or on the Python path; {_FORM}"
            raise unusable(text) from error
        raise unusable(f"{place} cannot be imported: {where(error)}") from error


def _is_part(missing: str | None, place: str) -> bool:
    return missing is not None and (place == missing or place.startswith(f"{missing}."))


def _import_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise unusable(f"there is no file {path}; {_FORM}")
    path = path.resolve()
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[path.stem]
        raise
    return module


def where(error: BaseException) -> str:
    """The error and the line of somebody's code it came from: worker.py:12: KeyError: 'x'."""
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, SyntaxError):
        return (
            f"{_short(error.filename or '?')}:{error.lineno}: {type(error).__name__}: {error.msg}"
        )
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith((_OURS, "<frozen")) and "/lib/python" not in frame.filename
    ]
    if not frames:
        return text
    return f"{_short(frames[-1].filename)}:{frames[-1].lineno}: {text}"


def _short(filename: str) -> str:
    path, here = Path(filename), Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
