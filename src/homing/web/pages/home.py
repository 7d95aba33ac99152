"""`/`: is everything accounted for, and does anything need a person?"""

from __future__ import annotations

from homing.web.pages.shell import Page, Visit, get


async def show_home(visit: Visit) -> Page:
    return Page("home.html", "Home", "home", {})


PAGES = (get("/", show_home),)
