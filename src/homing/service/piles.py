"""Records put on piles by key, for what is too much to hold: one pile at a time is read back.

What has the same key comes back on the same pile, in the order in which it was put: the partition
of a hash join.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import IO, Any, Final, Generic, Self, TypeVar
from zlib import crc32

import msgspec

from homing.core.errors import HomingError

#: files that are open at once
_PILES: Final = 128
_SIZE_BYTES: Final = 4

R = TypeVar("R", bound=msgspec.Struct)


class Piles(Generic[R]):
    """Records in memory up to a number of them, beyond that in files that nobody else sees.

    Args:
        kinds: of the records: array-like structs, tagged if there are several.
        held_max: records that are held in memory, >= 0.
    """

    def __init__(self, kinds: Any, *, held_max: int) -> None:
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(kinds).decode
        self._held_max = held_max
        self._held: list[tuple[str, R]] = []
        self._files: list[IO[bytes]] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with suppress(OSError):  # what could not be written is of no use any more
            self._stack.close()

    def put(self, key: str, record: R) -> None:
        """Lay a record on the pile of its key.

        Raises:
            HomingError: there is no room for it; says where.
        """
        if self._files:
            self._write(key, record)
            return
        self._held.append((key, record))
        if len(self._held) > self._held_max:
            self._open()
            for one in self._held:
                self._write(*one)
            self._held.clear()

    def __iter__(self) -> Iterator[Sequence[R]]:
        """Each pile that has anything on it.

        Raises:
            HomingError: as `put`.
        """
        if self._held:
            yield [record for _, record in self._held]
        for file in self._files:
            try:
                file.seek(0)
            except OSError as error:  # of what was not written to it yet
                raise _no_room(error) from error
            if pile := list(self._read(file)):
                yield pile

    def _open(self) -> None:
        try:
            for _ in range(_PILES):
                file = tempfile.TemporaryFile()  # noqa: SIM115 (the stack closes it)
                self._files.append(self._stack.enter_context(file))
        except OSError as error:
            raise _no_room(error) from error

    def _write(self, key: str, record: R) -> None:
        data = self._encode(record)
        size = len(data).to_bytes(_SIZE_BYTES, "big")
        try:
            self._files[crc32(key.encode()) % _PILES].write(size + data)
        except OSError as error:
            raise _no_room(error) from error

    def _read(self, file: IO[bytes]) -> Iterator[R]:
        while size := file.read(_SIZE_BYTES):
            record: R = self._decode(file.read(int.from_bytes(size, "big")))
            yield record


def _no_room(error: OSError) -> HomingError:
    return HomingError(
        "expected room for temporary files, some 400 bytes per delivery, in "
        f"{tempfile.gettempdir()}; found: {error.strerror}. Set TMPDIR to a folder that has it"
    )
