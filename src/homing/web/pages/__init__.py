"""Pages for people: server-rendered, each of them whole without a script.

**How a page is added.**

1. A module here with a handler, `async def show_x(visit: Visit) -> Page | Response`, and at its
   end `PAGES = (get("/x", show_x),)`; what changes something is
   `post("/x/{id}/park", park, role=Role.OPERATOR)` and ends with `visit.go("/x", said="Parked.")`.
   Reading is done by functions of `service`, so that API and pages say the same.
2. A template in `templates/` that extends `base.html` and fills `content`; parts that many pages
   share are macros of `parts.html` (`{% from "parts.html" import … with context %}`).
3. The module's name in `web/app.py`, and, if people go there by the navigation, a line in
   `shell.NAVIGATION` (an entry appears once its page exists).
4. A file in `tests/pages/`, with the fixtures of its `conftest.py`.

Errors are raised, as in the API: `web.pages.errors` makes a page of them. A part of a page that is
to stay fresh is an element with an id and `{{ live("that-id", every_s=5) }}` among its attributes.
No inline script, no `style=` attribute: the browser is told to refuse both.
"""
