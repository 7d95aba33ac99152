"""What a list of attempts says of an answer, and of none."""

from __future__ import annotations

import pytest

from homing.cli.attempts import answer_text


@pytest.mark.parametrize(
    ("status", "response", "text"),
    [
        (503, "reset: ours is the only one", "503"),
        (0, "connect_refused: [Errno 111]", "the connection was refused"),
        (0, "first_byte_timeout", "no answer in time"),
        (0, "EXPUNGED", ""),
    ],
)
def test_where_there_is_no_status_there_is_its_reason(
    status: int, response: str, text: str
) -> None:
    assert answer_text({"responseStatusCode": status, "response": response}) == text
