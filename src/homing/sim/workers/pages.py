"""The story of somebody's worker for others: a page, a diagram, a test."""

from __future__ import annotations

from html import escape

from homing.core.plurals import plural
from homing.sim.pages import document, mermaid, table, token_lines, wrap
from homing.sim.story import REPEATS
from homing.sim.workers.story import Story
from homing.sim.workers.watch import INVARIANTS

__all__ = ["footnote", "html", "mermaid", "pytest_file"]


def html(story: Story) -> str:
    """One self-contained page, for light and dark, with a table that screen readers can walk."""
    title = f"What breaks {story.worker}"
    caption = (
        f"Delivery {story.breach.delivery}, in simulated seconds; t+30.0 is half a minute after "
        "the beginning. The rows that say “crosses” are the two operations that crossed."
    )
    mishaps = "".join(f"<li>{escape(one)}</li>" for one in story.mishaps)
    happened = f"<h2>What went wrong around it</h2>\n<ul>{mishaps}</ul>\n" if mishaps else ""
    body = f"""<h1>{escape(title)}</h1>
<p>{escape(story.verdict)}</p>
{table(story, caption, "fields")}
{happened}<h2>What it broke</h2>
<p><code>{escape(story.breach.invariant)}</code>: {escape(INVARIANTS[story.breach.invariant])}.
Here, {escape(story.breach.text)}.</p>
<dl>
<dt>before it broke</dt><dd>{escape(story.breach.before)}</dd>
<dt>after</dt><dd class="bad">{escape(story.breach.after)}</dd>
</dl>
{_refusal(story)}<h2>Have it again</h2>
<p><code>{escape(story.command)}</code></p>
<p>{escape(footnote(story))}</p>
"""
    return document(f"{title}: {story.breach.invariant}", body)


def _refusal(story: Story) -> str:
    refusal = story.refusal
    if refusal is None:
        return ""
    verb = "refuses it" if refusal.is_refused else "does not help"
    return f"""<h2>The same world with <code>{escape(refusal.worker)}</code></h2>
<p>It {verb}: {escape(refusal.where)}. The delivery ends {escape(refusal.ends)}.</p>
"""


def footnote(story: Story) -> str:
    """How it was found, and how sure it is."""
    return (
        f"Found in {story.runs:,} run{'s' if story.runs != 1 else ''}, made small in "
        f"{plural(story.shrink_runs, 'run')} and {plural(story.shrinks, 'step')} to {story.size} "
        f"thing{'s' if story.size != 1 else ''} out of the ordinary "
        f"({story.workers} worker{'s' if story.workers != 1 else ''}, {story.deliveries} "
        f"deliver{'ies' if story.deliveries != 1 else 'y'}), "
        f"reproduced {story.reproduced}/{REPEATS}."
    )


def pytest_file(story: Story) -> str:
    """A test file: red while the worker breaks in this schedule, green when it does not."""
    name = story.breach.invariant
    head = f'''"""Written by `homing reproduce` for {story.worker}.

{wrap(story.verdict)}
"""

from homing.sim.workers.schedule import parse_token

TOKEN = (
{token_lines(story.token)}
)


def test_{name}() -> None:
    found = parse_token(TOKEN).run().breaches
    assert not found, "\\n".join(map(str, found))
'''
    if story.refusal is None:
        return head
    return f"""{head}

def test_{name}_with_the_fix() -> None:
    found = parse_token(TOKEN).run(worker="{story.refusal.worker}").breaches
    assert not found, "\\n".join(map(str, found))
"""
