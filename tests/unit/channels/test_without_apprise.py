"""Where Apprise is not installed, one sentence says how it is; Alertmanager needs none."""

from __future__ import annotations

import sys

import pytest

from homing.channels import make_channels
from homing.core.errors import ConfigError


def test_a_missing_extra_is_one_sentence_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    assert len(make_channels(["alertmanager://am.example:9093"])) == 1
    with pytest.raises(ConfigError) as caught:
        make_channels(["mailto://user:opensesame@example.org"])
    [problem] = caught.value.problems
    assert "pip install 'homing[alerts]'" in problem
    assert "opensesame" not in problem
