"""What is shown of a channel's URL opens nothing."""

from __future__ import annotations

import pytest

from homing.channels import make_channels
from homing.channels.redaction import scrubbed, shown
from homing.core.errors import ConfigError


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("mailto://user:opensesame@example.org", "mailto://…@example.org/…"),
        ("mailto://example.org:2525?from=a@b.c&pass=opensesame", "mailto://example.org:2525/…"),
        ("slack://opensesame/T1JJ3T3L2/A1BRTD4JD", "slack://…"),
        ("alertmanager://am.example:9093", "alertmanager://am.example:9093/…"),
        ("alertmanagers://user:opensesame@am.example/p", "alertmanagers://…@am.example/…"),
        ("json://[::1", "json://…"),
    ],
)
def test_of_a_url_only_what_is_public_is_shown(url: str, text: str) -> None:
    assert shown(url) == text
    assert "opensesame" not in shown(url)


def test_a_librarys_words_are_scrubbed_of_every_piece() -> None:
    url = "json://user:open%20sesame@host.example/hooks/T0KENT0KEN?key=verysecret"
    said = "POST https://host.example/hooks/T0KENT0KEN?key=verysecret as user:open sesame failed"
    text = scrubbed(said, url)
    for secret in ("T0KENT0KEN", "verysecret", "open sesame", "open%20sesame"):
        assert secret not in text
    assert "host.example" in text
    assert "failed" in text


def test_every_channel_has_a_name_of_its_own_that_outlives_its_password() -> None:
    first = make_channels(["json://a:1@h.example", "json://b:2@h.example", "alertmanager://am"])
    again = make_channels(["json://a:9@h.example", "json://b:8@h.example", "alertmanager://am"])
    names = ["json-1", "json-2", "alertmanager-1"]
    assert [one.id for one in first] == [one.id for one in again] == names


def test_all_that_is_wrong_is_said_at_once_without_credentials() -> None:
    with pytest.raises(ConfigError) as caught:
        make_channels(["nonsense://x:opensesame@y", "alertmanager://", "json://fine.example"])
    one, other = caught.value.problems
    assert one.startswith("HOMING_ALERTS: the first nonsense://…: expected a URL that Apprise can")
    assert other.startswith("HOMING_ALERTS: the first alertmanager://…: expected alertmanager://")
    assert "opensesame" not in one
