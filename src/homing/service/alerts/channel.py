"""What carries a notice to people, as a port; `homing.channels` has what is behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from homing.insight.alerts.alert import Told


class NotTaken(Exception):
    """A channel did not take a notice; the text says why, and shows no credentials."""


class Channel(Protocol):
    """One way to reach people."""

    @property
    def id(self) -> str:
        """A short name that is the same as long as its URL is, such as "mailto-1f3a9c"."""

    @property
    def shown(self) -> str:
        """Its URL without credentials."""

    async def carry(self, alerts: Sequence[Told], *, at_us: int) -> None:
        """Hand over one message; it is theirs when this returns.

        Raises:
            NotTaken: they refused it, or did not answer.
        """

    async def refresh(self, firing: Sequence[Told], *, at_us: int) -> None:
        """Say what goes on, to those who forget what is not repeated; nothing to all others.

        Raises:
            NotTaken: they refused it, or did not answer.
        """
