"""Finds somebody's worker by its name, and says what is wrong with it in one sentence."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
import traceback
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from homing.core.errors import Invalid, Problem

_FORM: Final = "expected package.module:Worker or path/to/file.py:Worker"
_LISTED_MAX: Final = 5
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
        have = [
            name
            for name, value in vars(module).items()
            if callable(getattr(value, "run", None)) and not isinstance(value, ModuleType)
        ]
        hint = f"; it has {', '.join(have[:_LISTED_MAX])}" if have else ""
        raise unusable(f"{place} has no {attribute!r}{hint}")
    if not callable(worker):
        raise unusable(f"{name} is no class and no function, but {type(worker).__name__}")
    _must_be_made(worker, name)
    return worker


def _must_be_made(worker: Any, name: str) -> None:
    """It takes the four ports and a name, and what it makes can be run.

    Raises:
        Invalid: it does not, or cannot.
    """
    form = "Worker(store, sender, clock, chance, name)"
    if inspect.iscoroutinefunction(worker) or inspect.isgeneratorfunction(worker):
        raise unusable(f"{name} is no plain function: expected a class, or a def that gives {form}")
    try:
        signature = inspect.signature(worker)
    except (TypeError, ValueError):  # a callable that does not say
        return
    try:
        signature.bind(*"12345")
    except TypeError:
        found = ", ".join(signature.parameters)
        raise unusable(f"{name} is made as {form}; it takes ({found})") from None
    if not isinstance(worker, type):
        return
    run = getattr(worker, "run", None)
    if run is None:
        raise unusable(f"{name} has no `run`: expected async def run(self), until cancelled")
    if inspect.isasyncgenfunction(run) or inspect.isgeneratorfunction(run):
        raise unusable(f"{name}.run has a `yield` in it; expected async def run(self) without")


def must_be_awaited(given: Any, name: str) -> Any:
    """What a coroutine function gave.

    Raises:
        TypeError: it is a plain one.
    """
    if inspect.isawaitable(given):
        return given
    raise TypeError(f"{name} is no async def; synchronous code is not explored")


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


class NotExplorable(KeyboardInterrupt):
    """In a world: this worker cannot be explored; says why.

    Of this kind, because a task lets it through and does not keep it, and because few workers
    catch it.
    """


def state_asked(state_of: Any, store: Any, delivery: str) -> str | None:
    """What a worker's own `state_of` says.

    Raises:
        NotExplorable: it fails.
    """
    try:
        found: str | None = state_of(store, delivery)
    except Exception as error:
        raise NotExplorable(
            f"its state_of(store, {delivery!r}) fails: {told(error)}; expected a static method "
            "that gives a state, or None where there is nothing yet"
        ) from None
    return found


def where(error: BaseException) -> str:
    """The error and the line of somebody's code it came from: worker.py:12: KeyError: 'x'."""
    if isinstance(error, SyntaxError):
        return f"{shown(error.filename or '?')}:{error.lineno}: {type(error).__name__}: {error.msg}"
    place = place_of(error)
    return f"{place}: {_text(error)}" if place else _text(error)


def told(error: BaseException) -> str:
    """The same in the middle of a sentence: KeyError: 'x', at worker.py:12."""
    place = place_of(error)
    return f"{_text(error)}, at {place}" if place else _text(error)


def _text(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def place_of(error: BaseException) -> str:
    """File and line of the innermost of somebody's code that it came through; empty: of none."""
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if is_theirs(frame.filename)
    ]
    return f"{shown(frames[-1].filename)}:{frames[-1].lineno}" if frames else ""


def is_theirs(filename: str) -> bool:
    """Whether a file is neither Homing's nor a library's."""
    return not filename.startswith((_OURS, "<frozen")) and "/lib/python" not in filename


def is_homings(filename: str) -> bool:
    """Whether a file is of this package."""
    return filename.startswith(_OURS)


def shown(filename: str) -> str:
    """A file's name as people in this folder call it."""
    path, here = Path(filename), Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
