"""A story for others: a page, a diagram, a test."""

from __future__ import annotations

from html import escape
from typing import Final, Protocol

from homing.core.plurals import plural
from homing.sim.story import REPEATS, Row, Story

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --line: #d0d7de;
  --mark: #fff1c2; --soft: #57606a; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --paper: #0d1117;
  --line: #30363d; --mark: #4b3a05; --soft: #9198a1; --bad: #ff8a80; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 70rem; margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.4rem; }
h2 { font-size: 1.1rem; margin-top: 2rem; }
.scroll { overflow-x: auto; position: relative; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: left; color: var(--soft); padding-bottom: .5rem;
  max-width: calc(100vw - 2rem); }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .6rem; text-align: left;
  vertical-align: top; overflow-wrap: break-word; }
td.time { font-variant-numeric: tabular-nums; white-space: nowrap; }
tr.crossing { background: var(--mark); font-weight: 600; }
code { font: .9em ui-monospace, monospace; overflow-wrap: anywhere; }
.bad { color: var(--bad); font-weight: 600; }
@media (max-width: 48rem) { thead { position: absolute; clip-path: inset(50%); }
  th, td { overflow-wrap: anywhere; }
  table, caption, tbody, tbody tr { display: block; }
  tbody tr { padding: .4rem .6rem; border-bottom: 1px solid var(--line); }
  tbody td { display: block; border: 0; padding: .1rem 0; overflow-wrap: anywhere; }
  tbody td:empty { display: none; }
  td[data-label]::before { content: attr(data-label) ": "; color: var(--soft); font-weight: 400; }
  tr.crossing { border-left: 4px solid var(--bad); } }
dt { font-weight: 600; margin-top: .6rem; }
dd { margin: 0; }
a:focus-visible, .scroll:focus-visible { outline: 3px solid currentcolor; outline-offset: 2px; }
"""


class Broken(Protocol):
    """What was broken."""

    @property
    def text(self) -> str: ...


class Told(Protocol):
    """What a table and a diagram are drawn from."""

    @property
    def lanes(self) -> tuple[str, ...]: ...

    @property
    def rows(self) -> tuple[Row, ...]: ...

    @property
    def breach(self) -> Broken: ...


def html(story: Story) -> str:
    """One self-contained page, for light and dark, with a table that screen readers can walk."""
    title = f"Without {story.safeguard}" if story.safeguard else f"What seed {story.seed} broke"
    caption = (
        f"Delivery {story.delivery}, in simulated seconds; the rows that say “crosses” are the "
        "two operations that crossed."
    )
    body = f"""<h1>{escape(title)}</h1>
<p>{escape(story.verdict)}</p>
{table(story, caption)}
<h2>What it broke</h2>
<p><code>{escape(story.breach.invariant)}</code>: {escape(story.breach.text)}.</p>
<dl>
<dt>before it broke</dt><dd>{escape(story.breach.before)}</dd>
<dt>after</dt><dd class="bad">{escape(story.breach.after)}</dd>
</dl>
{_with_it(story)}<h2>Have it again</h2>
<p><code>{escape(story.command)}</code></p>
<p>{escape(footnote(story))}</p>
"""
    return document(f"{title}: {story.breach.invariant}", body)


def document(title: str, body: str) -> str:
    """A page that stands alone, around its body."""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
{body}</main>
</body>
</html>
"""


def table(story: Told, caption: str, fields: str = "version") -> str:
    """The schedule: a lane each, and the row; crossing rows are marked in words, too.

    Args:
        fields: what the rows' `version` is.
    """
    lanes = "".join(f'<th scope="col">{escape(lane)}</th>' for lane in story.lanes)
    rows = []
    for row in story.rows:
        cells = "".join(
            _cell(lane, cell) for lane, cell in zip(story.lanes, row.cells, strict=True)
        )
        mark = ' class="crossing"' if row.is_crossing else ""
        crossed = "crosses" if row.is_crossing else ""
        rows.append(
            f'<tr{mark}><td class="time">{row.at_s:.3f} s</td>{cells}'
            f"{_cell('row', row.state)}{_cell(fields, row.version)}<td>{crossed}</td></tr>"
        )
    lines = "\n".join(rows)
    return f"""<h2 id="schedule">The schedule</h2>
<div class="scroll" tabindex="0" role="region" aria-labelledby="schedule">
<table>
<caption>{escape(caption)}</caption>
<thead><tr><th scope="col">time</th>{lanes}<th scope="col">row</th>
<th scope="col">{escape(fields)}</th><th scope="col">note</th></tr></thead>
<tbody>
{lines}
</tbody>
</table>
</div>"""


def _cell(label: str, text: str) -> str:
    """A cell that says on a narrow screen, where a row is a block, what its column is."""
    return f'<td data-label="{escape(label)}">{escape(text)}</td>'


def _with_it(story: Story) -> str:
    if not story.safeguard:
        return ""
    return f"""<h2>The same schedule with <code>{escape(story.safeguard)}</code></h2>
<p>Production {escape(story.does)}; here it was {escape(story.instead)}.</p>
<p>With it, {escape(story.refusal)}; the delivery ends {escape(story.ends)}.</p>
"""


def footnote(story: Story) -> str:
    """How it was found, and how sure it is."""
    return (
        f"Found in {story.worlds} world{'s' if story.worlds != 1 else ''} (seed {story.seed}), "
        f"made small in {plural(story.runs, 'run')} and {plural(story.shrinks, 'step')}, "
        f"reproduced {story.reproduced}/{REPEATS}."
    )


def mermaid(story: Told) -> str:
    """A sequence diagram: workers and others, and what each does with the row."""
    lines = ["sequenceDiagram"]
    lines += [f"    participant {_lane(i)} as {lane}" for i, lane in enumerate(story.lanes)]
    lines.append("    participant row as the row")
    shown = ""
    for row in story.rows:
        index = next(i for i, cell in enumerate(row.cells) if cell)
        text = _clean(f"{row.at_s:.3f} s {row.cells[index]}")
        state = _clean(f"{row.state} {row.version}".strip())
        if row.is_crossing:
            lines.append("    rect rgb(255, 236, 179)")
        lines.append(f"    {_lane(index)}->>row: {text}")
        if state and state != shown:
            lines.append(f"    Note right of row: {state}")
            shown = state
        if row.is_crossing:
            lines.append("    end")
    lines.append(f"    Note over {_lane(0)},row: {_clean(story.breach.text)}")
    return "\n".join(lines) + "\n"


def _lane(index: int) -> str:
    return f"lane{index}"


def _clean(text: str) -> str:
    """Without what has a meaning in the diagram's language."""
    return text.replace(";", ",").replace("#", "no. ").replace(":", " ·").replace("\n", " ")


def pytest_file(story: Story) -> str:
    """A test file: green as things are with a safeguard taken out, red where production breaks."""
    head = f'''"""Written by `homing simulate`.

{wrap(story.verdict)}
"""

from homing.sim.schedule import parse_token

TOKEN = (
{token_lines(story.token)}
)
'''
    if not story.safeguard:
        return (
            head
            + """

def test_the_schedule_breaks_nothing() -> None:
    found = parse_token(TOKEN).run().breaches
    assert not found, "\\n".join(map(str, found))
"""
        )
    name = story.safeguard.replace("-", "_")
    return (
        head
        + f"""

def test_without_{name}_the_schedule_breaks_{story.breach.invariant}() -> None:
    schedule = parse_token(TOKEN)
    assert schedule.find(schedule.run()) is not None


def test_with_{name}_the_same_schedule_breaks_nothing() -> None:
    found = parse_token(TOKEN).run(safe=True).breaches
    assert not found, "\\n".join(map(str, found))
"""
    )


def wrap(text: str, width: int = 98) -> str:
    lines, line = [], ""
    for word in text.replace('"""', "'").replace("\\", "/").split():
        if line and len(line) + len(word) + 1 > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return "\n".join([*lines, line])


def token_lines(token: str, width: int = 90) -> str:
    return "\n".join(
        f'    "{token[start : start + width]}"' for start in range(0, len(token), width)
    )
