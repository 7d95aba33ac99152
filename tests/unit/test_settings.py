"""Settings: read once, all mistakes at once, secrets never shown."""

from __future__ import annotations

import ipaddress

import pytest

from homing.cli.configuration import read_settings, without_password
from homing.core.errors import ConfigError
from homing.core.identifiers import ENTROPY_BYTES, new_id
from homing.knobs import SecretText
from homing.settings import Settings, knobs

SECRET = "a secret of enough characters"
APP = new_id("app_", 1_800_000_000_000_000, bytes(ENTROPY_BYTES))
OTHER_APP = new_id("app_", 1_800_000_001_000_000, bytes(ENTROPY_BYTES))


def problems_of(environment: dict[str, str], file: dict[str, object] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read_settings(environment, file, file_name="homing.toml")
    return caught.value.problems


def test_an_empty_environment_gives_the_defaults() -> None:
    assert read_settings({}) == Settings()


def test_the_defaults_are_within_their_own_bounds() -> None:
    for field, limits in knobs().values():
        numbers = field.default if isinstance(field.default, tuple) else (field.default,)
        for number in numbers:
            if isinstance(number, int | float):
                assert limits.low <= number <= limits.high, field.name


def test_every_number_has_bounds() -> None:
    for name, (field, limits) in knobs().items():
        if isinstance(field.default, int | float):
            assert abs(limits.low) < float("inf"), name
            assert limits.high < float("inf"), name


def test_each_kind_of_value_is_read() -> None:
    settings = read_settings(
        {
            "HOMING_SENDS_MAX": "64",
            "HOMING_TOTAL_S": "12.5",
            "HOMING_RETRY_DELAYS_S": "1, 2.5,30",
            "HOMING_EGRESS_ALLOW": "127.0.0.0/8, ::1",
            "HOMING_EGRESS_ALLOW_FOR": f"{APP}=10.1.0.0/16, fd00::/64 ; {OTHER_APP}=10.2.0.1;",
            "HOMING_HEADER_STYLE": "svix",
            "HOMING_SECRET": SECRET,
            "UNRELATED": "x",
        }
    )
    assert settings.sends_max == 64
    assert settings.total_s == 12.5
    assert settings.retry_delays_s == (1.0, 2.5, 30.0)
    assert settings.egress_allow == (
        ipaddress.ip_network("127.0.0.0/8"),
        ipaddress.ip_network("::1"),
    )
    assert dict(settings.egress_allow_for) == {
        APP: (ipaddress.ip_network("10.1.0.0/16"), ipaddress.ip_network("fd00::/64")),
        OTHER_APP: (ipaddress.ip_network("10.2.0.1/32"),),
    }
    assert settings.header_style == "svix"
    assert settings.secret.reveal() == SECRET


def test_the_environment_wins_over_the_file() -> None:
    file: dict[str, object] = {"sends_max": 10, "retry_delays_s": [1, 2]}
    settings = read_settings({"HOMING_SENDS_MAX": "20"}, file, file_name="homing.toml")
    assert (settings.sends_max, settings.retry_delays_s) == (20, (1.0, 2.0))


def test_networks_of_single_applications_are_a_table_of_the_file() -> None:
    file: dict[str, object] = {"egress_allow_for": {APP: ["10.1.0.0/16", "::1"], OTHER_APP: "::2"}}
    (one, other) = read_settings({}, file).egress_allow_for
    assert (str(one), str(other)) == (f"{APP}=10.1.0.0/16,::1/128", f"{OTHER_APP}=::2/128")


def test_all_mistakes_are_named_at_once() -> None:
    problems = problems_of(
        {"HOMING_LEESE_S": "1", "HOMING_LEASE_S": "0.0", "HOMING_WORKERS": "many"},
        {"drain": 3, "poll_s": "often"},
    )
    assert problems == [
        "homing.toml: drain: no such setting; did you mean HOMING_DRAIN_S?",
        "HOMING_LEESE_S: no such setting; did you mean HOMING_LEASE_S?",
        "HOMING_WORKERS='many': expected a whole number, 1 to 64",
        "HOMING_LEASE_S='0.0': expected 1 to 3,600",
        "homing.toml: poll_s='often': expected a number, 0.05 to 60",
    ]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("HOMING_DATABASE_URL", "mysql://x", "expected sqlite:///path or postgresql://"),
        ("HOMING_LISTEN", "8000", "expected host:port"),
        ("HOMING_LISTEN", "localhost:99999", "port 0 to 65535"),
        ("HOMING_LEASE_S", "25", "expected at least HOMING_TOTAL_S"),
        ("HOMING_EGRESS_ALLOW", "10.0.0.1/8", "expected networks such as"),
        ("HOMING_EGRESS_ALLOW_FOR", "10.1.0.0/16", "expected an application's id and networks"),
        ("HOMING_EGRESS_ALLOW_FOR", "shop=10.1.0.0/16", "expected an application's id"),
        ("HOMING_EGRESS_ALLOW_FOR", f"{'app_' + 'x' * 27}=", "expected an application's id"),
        ("HOMING_EGRESS_ALLOW_FOR", f"{APP}=10.1.0.1/16", "expected networks such as"),
        ("HOMING_EGRESS_ALLOW_FOR", f"{APP}=::1;{APP}=::2", "expected each application once"),
        ("HOMING_LOG_FORMAT", "xml", "expected text or json"),
        ("HOMING_RETRY_DELAYS_S", "5,-1", "expected 0 to 604,800"),
        ("HOMING_SECRET", "short", "expected 16 to 1024 characters"),
        ("HOMING_TOTAL_S", "nan", "expected 0.1 to 600"),
    ],
)
def test_a_wrong_value_is_one_sentence_that_names_it(name: str, value: str, words: str) -> None:
    (problem,) = problems_of({name: value})
    assert problem.startswith(name)
    assert words in problem


def test_postgresql_needs_a_secret_and_says_how_to_make_one() -> None:
    (problem,) = problems_of({"HOMING_DATABASE_URL": "postgresql://u:hidden@db/homing"})
    assert problem.startswith("HOMING_SECRET: required")
    assert "secrets.token_urlsafe" in problem


def test_secrets_do_not_show_themselves() -> None:
    settings = read_settings({"HOMING_SECRET": SECRET})
    assert SECRET not in f"{settings!r} {settings.secret} {[settings.secret]}"
    assert not SecretText()
    (problem,) = problems_of({"HOMING_SECRET": "tiny"})
    assert "tiny" not in problem
    assert without_password("postgresql://me:hidden@db/x") == "postgresql://me:***@db/x"
    assert without_password("sqlite:///x.db") == "sqlite:///x.db"


def test_previous_secrets_are_a_list_and_do_not_show_themselves() -> None:
    settings = read_settings({"HOMING_SECRET_PREVIOUS": f"{SECRET}-1, {SECRET}-2"})
    assert [one.reveal() for one in settings.secret_previous] == [f"{SECRET}-1", f"{SECRET}-2"]
    assert SECRET not in repr(settings)
    (problem,) = problems_of({"HOMING_SECRET_PREVIOUS": f"{SECRET},tiny"})
    assert "16 to 1024" in problem
    assert SECRET not in problem
    assert "tiny" not in problem


def test_svix_s_secret_must_be_long_enough_for_its_algorithm() -> None:
    (problem,) = problems_of({"HOMING_SVIX_JWT_SECRET": "x" * 31})
    assert "32 to 1024" in problem
    assert "xxx" not in problem


def test_channels_are_separated_by_spaces_or_commas_and_do_not_show_themselves() -> None:
    mail = "mailto://user:opensesame@example.org?to=a@b.c,d@e.f"
    for between in (" ", ",", "\n  ", ", "):
        settings = read_settings({"HOMING_ALERTS": f"{mail}{between}slack://opensesame/b/c"})
        assert [one.reveal() for one in settings.alerts] == [mail, "slack://opensesame/b/c"]
        assert "opensesame" not in repr(settings)
    [problem] = problems_of({"HOMING_ALERTS": f"{mail} opensesame"})
    assert "number 2 does not begin with scheme://" in problem
    assert "opensesame" not in problem
    listed = read_settings({}, {"alerts": [mail, "slack://opensesame/b/c"]}, file_name="x")
    assert len(listed.alerts) == 2


def test_origins_of_the_portal_can_say_nothing_but_an_origin() -> None:
    good = "https://app.example.com, http://localhost:3000,https://*.Example.org"
    found = read_settings({"HOMING_PORTAL_ORIGINS": good}).portal_origins
    assert found == ("https://app.example.com", "http://localhost:3000", "https://*.example.org")
    for wrong in (
        "*",
        "https:",
        "app.example.com",
        "https://app.example.com/path",
        "https://a.example; script-src *",
        "https://a.example 'self'",
        "'self'",
        "https://user@a.example",
    ):
        with pytest.raises(ConfigError, match="expected origins such as"):
            read_settings({"HOMING_PORTAL_ORIGINS": wrong})
