"""A real SMTP server on 127.0.0.1 that keeps what it is given."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP


class Mailbox:
    """Letters, in order of arrival."""

    def __init__(self) -> None:
        self.letters: list[EmailMessage] = []
        self.port = 0
        self.refuses = False  #: answers 450 to each
        self._arrived = asyncio.Event()

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if self.refuses:
            return "450 not now"
        letter = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(letter, EmailMessage)
        self.letters.append(letter)
        self._arrived.set()
        return "250 OK"

    @property
    def url(self) -> str:
        """As HOMING_ALERTS takes it."""
        return f"mailto://127.0.0.1:{self.port}?from=homing@example.org&to=ops@example.org"

    async def wait_for(self, words: str, *, within_s: float) -> EmailMessage:
        """The first letter with these words in its text. Raises: TimeoutError."""
        async with asyncio.timeout(within_s):
            while True:
                for letter in self.letters:
                    if words in text_of(letter):
                        return letter
                self._arrived.clear()
                await self._arrived.wait()


def text_of(letter: EmailMessage) -> str:
    """Its plain text."""
    part = letter.get_body(("plain", "html"))
    assert part is not None
    return str(part.get_content())


@asynccontextmanager
async def mailbox() -> AsyncIterator[Mailbox]:
    """Open on a free port."""
    box = Mailbox()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(box, loop=loop), "127.0.0.1", 0)
    box.port = server.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        server.close()
