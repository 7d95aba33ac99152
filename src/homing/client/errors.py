"""How a call can fail: nobody answered, or Homing said no."""

from __future__ import annotations

from homing.core.errors import HomingError


class ClientError(HomingError):
    """A call that did not do as asked; the text says which, and what to do."""

    code = "client"


class NoAnswer(ClientError):
    """Nobody answered: nothing is known of what was done, so repeat the call with the same ids."""

    code = "no_answer"


class Rejected(ClientError):
    """Homing answered that it will not."""

    code = "rejected"

    def __init__(self, text: str, status: int, reason: str | None) -> None:
        super().__init__(text)
        self.status = status  #: HTTP status, 300 to 599
        self.reason = reason  #: the error's code in the API; None: none came

    @property
    def may_pass(self) -> bool:
        """Whether the same call may do later: busy, or broken for the moment."""
        return self.status >= 500 or self.status in (408, 425, 429)
