"""The packs that come with Homing, and a way to spoil them."""

from __future__ import annotations

from functools import cache
from importlib import resources

import msgspec

from homing.walkthrough.packs import Library, Scenario, library, shipped
from homing.walkthrough.rehearse import Judge

ID = "lost-update"
AT_US = 1_795_000_000_000_000
STRONG = "strong"


@cache
def packs() -> Library:
    return shipped()


@cache
def text_of(name: str = ID) -> str:
    folder = resources.files("homing.walkthrough").joinpath("scenarios")
    return folder.joinpath(f"{name}.toml").read_text("utf-8")


def story() -> Scenario:
    return packs().scenarios[ID]


def spoilt(before: str, after: str, *, count: int = 1) -> Library:
    """The packs with something in the story's file replaced, as an author may write it."""
    text = text_of()
    assert before in text, before
    changed = library(
        levels={}, principles={}, scenarios={ID: text.replace(before, after, count)}
    ).scenarios
    return msgspec.structs.replace(packs(), scenarios=changed)


def judge(level: str = "sde2", lens: str = "ownership") -> Judge:
    return Judge(scenario=story(), level=packs().levels[level], lens=packs().principles[lens])


def strong(level: str = "sde2") -> str:
    """The strong answer with headings."""
    one = packs().levels[level]
    return "\n\n".join(
        f"## {stage.name}\n\n{story().strong(stage, one)}" for stage in story().stages
    )


def weak(level: str = "sde2") -> str:
    return story().told(story().at(level).weak.text)
