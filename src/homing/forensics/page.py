"""The investigation as one page that needs nothing else: plots, lanes, light and dark, printable."""

from __future__ import annotations

import re
from html import escape
from typing import Any, Final

from homing.forensics import plots
from homing.forensics.statistics import p_text
from homing.forensics.telling import (
    YOURS,
    endings_told,
    hardest_told,
    hit_count,
    places_told,
    rivals_told,
    since_told,
)

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1c2430; --paper: #fff; --soft: #5d6b7e; --line: #d9dfe7;
  --bad: #c22f2f; --good: #1f7a4d; --bar: #8fa7c7; --mark: #fff1d6; --warn: #8a5a00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6ebf2; --paper: #12161c; --soft: #93a1b5;
  --line: #2b3442; --bad: #ff7a70; --good: #5fce97; --bar: #4d6b93; --mark: #3a2f17; --warn: #f0bd5f; } }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 0 auto;
  max-width: 62rem; padding: 2rem 1.2rem 4rem; }
h1 { font-size: 1.15rem; color: var(--soft); font-weight: 600; margin: 0; }
h2 { font-size: 1.1rem; margin: 2.2rem 0 .5rem; } h3 { font-size: 1rem; margin: 1.2rem 0 .4rem; }
.verdict { font-size: 1.7rem; line-height: 1.25; font-weight: 700; margin: .3rem 0; text-wrap: balance; }
.bad { color: var(--bad); } .good { color: var(--good); } .soft { color: var(--soft); }
.warn { color: var(--warn); }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th { text-align: left; color: var(--soft); font-weight: 600; }
th, td { padding: .3rem .7rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
tr.cross td { background: var(--mark); font-weight: 600; }
tr.cross td:first-child { border-left: 4px solid var(--bad); padding-left: .5rem; }
code, pre, .mono { font-family: ui-monospace, monospace; font-size: .88em; }
pre { background: color-mix(in srgb, var(--bar) 14%, transparent); padding: .7rem .9rem; border-radius: 6px;
  overflow-x: auto; }
sup { line-height: 0; }
svg { width: 100%; height: auto; display: block; }
svg text { fill: var(--soft); font: 12px system-ui, sans-serif; }
svg.lifts { max-width: 52rem; } svg.lifts.narrow { display: none; } svg .thin { stroke-width: 1; opacity: .55; }
svg .ink { fill: var(--ink); } svg .axis { stroke: var(--line); }
svg .bar { fill: var(--bar); } svg .drop { fill: var(--bad); } svg .edge { stroke: var(--bad); stroke-width: 2; stroke-dasharray: 5 4; }
svg .span { fill: var(--bad); opacity: .22; } svg .whisker { stroke: var(--ink); stroke-width: 1.5; }
.scroll { overflow-x: auto; } .scroll:focus-visible { outline: 2px solid var(--bar); outline-offset: 2px; }
.verdict, p, li, figcaption { overflow-wrap: break-word; }
@media screen and (max-width: 48rem) { .scroll.wide table { min-width: 46rem; }
  svg.lifts { display: none; } svg.lifts.narrow { display: block; }
  .scroll.wide::before { content: "wider than this screen: scroll it sideways \\2192";
    position: sticky; left: 0; display: block; width: max-content; font-size: .82rem; color: var(--soft);
    border: 1px solid var(--line); border-radius: 6px; padding: .1rem .5rem; margin-bottom: .3rem; }
  svg.time { overflow: visible; } svg.time .aside { display: none; } }
@media screen and (max-width: 40rem) { svg.time text { font-size: 27px; } }
@media print { body { max-width: none; padding: 0; } h2, table, figure { break-inside: avoid; } }
figure { margin: 0; } figcaption { color: var(--soft); font-size: .88rem; }
"""


def _box(label: str, more: str = "") -> str:
    """The beginning of a box that scrolls by itself; the keyboard reaches it, and it has a name."""
    return f'<div class="scroll{more}" tabindex="0" role="region" aria-label="{escape(label)}">'


def page(document: dict[str, Any]) -> str:
    """The page of an investigation, from its JSON document."""
    dropped = document["dropped"] > 0 and not document.get("doubt")
    parts = [_head(document)]
    if document["windows"] and not document.get("doubt"):
        parts.append(_over_time(document))
    if dropped:
        parts += [_mechanism(document), _suspects(document), _lanes(document), _hit(document)]
    parts += [_variants(document), _limits(document), _method(document)]
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(document['summary'])}</title><style>{_STYLE}</style></head>"
        f"<body>\n{body}\n</body></html>\n"
    )


def _head(document: dict[str, Any]) -> str:
    verdict = document["verdict"]
    tone = {"dropped": "bad", "no drop": "good"}.get(verdict, "warn")
    short = "Too short a log to tell: " if verdict == "too short" else ""
    log = document["log"]
    books = " + ".join(f"{n:,} {escape(name)}" for name, n in document["books"].items() if n)
    endings = "".join(f"{escape(told)}<br>" for told in endings_told(document))
    damaged = ""
    if document["damaged_rows"]:
        damaged = f'<p class="warn">{document["damaged_rows"]} damaged rows: {escape("; ".join(document["damaged"][:5]))}</p>'
    return (
        f"<h1>Homing investigation · {escape(', '.join(f.rpartition('/')[2] for f in log['files'][:4]))}</h1>"
        f'<p class="verdict {tone}">{short}{escape(document["summary"])}</p>'
        f'<p class="soft">{document["accepted"]:,} accepted = {books}<br>{endings}{document["rows"]:,} rows, '
        f"{escape(str(log['from']))} to {escape(str(log['to']))}</p>{damaged}"
    )


def _over_time(document: dict[str, Any]) -> str:
    since, windows = document["since"], document["windows"]
    caption = "Above, the deliveries by their time of acceptance; below, the share of them that was dropped."
    if since and since["is_change"]:
        caption += f" The drops began {since_told(since)}: the dashed line, its interval shaded"
        if plots.interval_width(windows, since) < plots.SEEN_MIN:
            caption += " (it is too narrow to be seen well at this scale)"
        caption += "."
    if document["deleted"]:
        caption += f" They were {document['deleted']['sentence']}."
    plot = f"{_box('plot: since when')}{plots.rate_over_time(windows, since)}</div>"
    return f"<h2>Since when</h2><figure>{plot}<figcaption>{escape(caption)}</figcaption></figure>"


def _mechanism(document: dict[str, Any]) -> str:
    one = document["hypothesis"]
    if one["mechanism"] is None and not one["candidates"]:
        return f"<h2>Suspect mechanism</h2><p>{escape(one['sentence'])}</p>"
    evidence = "".join(f"<li>{_powers(line)}</li>" for line in one["evidence"])
    rivals = _rivals(one)
    if one["mechanism"] is None:
        each = "".join(
            f"<h3>{escape(c['mechanism'])} {escape(c['name'])}</h3>"
            f"<p>{escape(c['sentence'].capitalize())}.</p>{_schedule(c['skeleton'])}"
            for c in one["candidates"]
        )
        return (
            f"<h2>Suspect mechanism: undecided</h2><p>{escape(one['sentence'].capitalize())}.</p>"
            f"<ul>{evidence}</ul>{each}{rivals}{_next(document)}"
        )
    return (
        f'<h2>Suspect mechanism: <span class="bad">{escape(one["mechanism"])} {escape(one["name"])}</span></h2>'
        f"<p>{escape(one['sentence'].capitalize())}.</p><ul>{evidence}</ul>{rivals}"
        f"<p>The schedule to replay</p>{_schedule(one['skeleton'])}{_next(document)}"
    )


def _next(document: dict[str, Any]) -> str:
    """The command that holds a worker to the schedule, and whose worker."""
    return f'<pre>{escape(document["next"])}</pre><p class="soft">{escape(YOURS)}.</p>'


def _powers(text: str) -> str:
    """A text with its powers of ten raised."""
    return re.sub(r"10\^(-\d+)", r"10<sup>\1</sup>", escape(text))


def _rivals(one: dict[str, Any]) -> str:
    """Why it is none of the others, or which of them it may be."""
    apart = {f"not {r['mechanism']} ({r['name']})": r["why"] for r in one["rivals"]}
    lines = ""
    for is_excluded, line in rivals_told(one):
        how = apart.get(line.partition(": ")[0], "") if is_excluded else ""
        how = how.replace("told apart by ", "what tells the two apart in this log: ", 1)
        more = f'; <span class="soft">{escape(how)}</span>' if how and how not in line else ""
        tone = "" if is_excluded else ' class="warn"'
        lines += f"<li{tone}>{escape(line)}{more}</li>"
    return f"<h3>Why not the others</h3><ul>{lines}</ul>" if lines else ""


def _schedule(skeleton: dict[str, Any]) -> str:
    steps = "".join(
        f"<tr><td>{escape(s['who'])}</td><td>{escape(s['op'])}</td><td>{escape(s['note'])}</td></tr>"
        for s in skeleton["steps"]
    )
    table = f"<table><tr><th>who</th><th>does</th><th></th></tr>{steps}</table>"
    return f"{_box('the schedule, step by step')}{table}</div>"


def _suspects(document: dict[str, Any]) -> str:
    rows = [s for s in document["suspects"] if s["q"] <= 0.05 and s["lift"] > 1.2][:12]
    if not rows:
        return "<h2>Suspects by lift</h2><p>No feature is more frequent among the drops than chance allows.</p>"
    cells = "".join(
        f'<tr><td>{escape(s["name"])}</td><td class="n">{s["coverage"]:.0%}</td>'
        f'<td class="n">{s["risk"]:.2%}</td><td class="n">{s["low"]:.2%} to {s["high"]:.2%}</td>'
        f'<td class="n">{s["lift"]:.1f}</td><td class="n">{_powers(p_text(s["q"]).removeprefix("= "))}</td></tr>'
        for s in rows
    )
    return (
        f"<h2>Suspects by lift</h2><figure>{_box('plot: suspects by lift')}{plots.lifts(rows)}"
        f"{plots.lifts(rows, is_narrow=True)}</div>"
        "<figcaption>How many times more often deliveries with the feature were dropped than all, with the 95% interval; "
        f"red: most of the drops have it. {document['features_tried']} features were tried, "
        "p-values are corrected for that.</figcaption></figure>"
        f'{_box("suspects by lift, as a table", " wide")}<table><tr><th>feature</th><th class="n">of the drops</th><th class="n">dropped of those</th>'
        f'<th class="n">95%</th><th class="n">lift</th><th class="n">q</th></tr>{cells}</table></div>'
    )


def _lanes(document: dict[str, Any]) -> str:
    parts = ["<h2>Three of them, line by line</h2>"]
    for example in document["examples"]:
        parts.append(_lane(example, "dropped"))
    if document["counter_examples"]:
        parts.append("<h2>With the same crossing, and it came through</h2>")
        parts += [_lane(example, "came through") for example in document["counter_examples"]]
    return "".join(parts)


def _lane(example: dict[str, Any], word: str) -> str:
    lanes = sorted({r["lane"] for r in example["rows"] if r["lane"]})[:4]
    if not lanes or any(r["lane"] not in lanes for r in example["rows"]):
        lanes.append("")
    rest = "others" if len(lanes) > 1 else "log"
    has_epochs = any(row["epoch"] for row in example["rows"])
    head = "".join(f"<th>{'worker ' + escape(lane) if lane else rest}</th>" for lane in lanes)
    body = ""
    for row, place in zip(example["rows"], places_told(example["rows"]), strict=True):
        lane = row["lane"] if row["lane"] in lanes else ""
        cells = "".join(f"<td>{escape(row['what']) if lane == one else ''}</td>" for one in lanes)
        epoch = f'<td class="n">{escape(row["epoch"])}</td>' if has_epochs else ""
        cross = ' class="cross"' if row["is_crossing"] else ""
        body += (
            f'<tr{cross}><td class="n">{row["after_s"]:.3f} s</td>{cells}<td>{escape(row["state"])}</td>'
            f'{epoch}<td class="n soft">{escape(place)}</td></tr>'
        )
    epochs = '<th class="n">epoch</th>' if has_epochs else ""
    crossings = (
        f": {'; '.join(example.get('crossed', example['crossings']))}"
        if example["crossings"]
        else ""
    )
    return (
        f'<p><span class="mono">{escape(example["delivery"])}</span> <span class="soft">accepted '
        f"{escape(str(example['accepted_at']))}, {word}{escape(crossings)}</span></p>"
        f'{_box("lines of " + example["delivery"], " wide")}<table><tr><th class="n">time</th>{head}<th>state</th>{epochs}'
        f'<th class="n">line</th></tr>{body}</table></div>'
    )


def _hit(document: dict[str, Any]) -> str:
    parts = []
    for name, rows in document["hit"].items():
        cells = "".join(
            f'<tr><td class="mono">{escape(r["name"])}</td><td class="n">{r["dropped"]:,}</td><td class="n">{r["accepted"]:,}</td>'
            f'<td class="n">{r["dropped"] / r["accepted"]:.2%}</td></tr>'
            for r in rows
        )
        parts.append(
            f'{_box("whom it hit: " + name.replace("_", " "))}<table><tr><th>{escape(name.replace("_", " "))}</th><th class="n">dropped</th><th class="n">accepted</th>'
            f'<th class="n">rate</th></tr>{cells}</table></div>{_of_how_many(document, name)}{_hardest(document, name)}'
        )
    return "<h2>Whom it hit</h2>" + "".join(parts) if parts else ""


def _of_how_many(document: dict[str, Any], name: str) -> str:
    shown, whole = len(document["hit"][name]), hit_count(document, name)
    text = f"The {shown} that lost most, of {whole:,} that lost any."
    return f'<p class="soft">{text}</p>' if whole > shown else ""


def _hardest(document: dict[str, Any], name: str) -> str:
    told = hardest_told(document, name)
    return f"<p><strong>{escape(told)}.</strong></p>" if told else ""


def _variants(document: dict[str, Any]) -> str:
    rows = "".join(
        f'<tr><td class="mono">{escape(" → ".join(v["steps"]))}</td><td class="n">{v["deliveries"]:,}</td>'
        f'<td class="n {"bad" if v["dropped"] else ""}">{v["dropped"]:,}</td></tr>'
        for v in document["variants"][:15]
    )
    return (
        f'<h2>Ways through the log</h2>{_box("ways through the log")}<table><tr><th>lines</th><th class="n">deliveries</th>'
        f'<th class="n">dropped</th></tr>{rows}</table></div>'
    )


def _limits(document: dict[str, Any]) -> str:
    if not document["cannot_tell"]:
        return ""
    return (
        "<h2>What this log cannot show</h2><ul>"
        + "".join(f"<li>{escape(line)}</li>" for line in document["cannot_tell"])
        + "</ul>"
    )


def _method(document: dict[str, Any]) -> str:
    horizon = document["horizon"]
    return (
        '<h2>How it was judged</h2><p class="soft">A delivery is dropped when it has no outcome, no owner and no due time any '
        f"more: longer silent than is usual after such a line. The longest usual silence here is {horizon['longest_legal_gap_s']:,.0f} s. "
        "Rates have exact (Clopper and Pearson) 95% intervals; resampling whole windows gives "
        f"{document['rate']['clumped_low']:.3%} to {document['rate']['clumped_high']:.3%}.</p>"
    )
