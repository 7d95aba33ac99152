// What pages do beyond links and forms. Every page works without it.
"use strict";

(() => {
  const root = document.documentElement;
  const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];
  const isTyping = (target) =>
    target instanceof HTMLElement && target.closest("input, textarea, select, [contenteditable]");
  root.classList.add("scripted");

  // ── what can wait until the page can be read: the libraries ──

  const files = document.currentScript.dataset;
  const settled = Promise.all([
    new Promise((done) => {
      new PerformanceObserver(done).observe({ type: "paint", buffered: true });
      setTimeout(done, 1000); // what nobody looks at is not painted
    }),
    new Promise((done) => addEventListener("load", done)), // before it htmx would not begin
  ]);
  const fetched = (tag, given) =>
    new Promise((done, failed) => {
      document.head.append(Object.assign(document.createElement(tag), given, { onload: done, onerror: failed }));
    });
  let plotter;
  const withPlotter = () =>
    (plotter ??= settled.then(() =>
      Promise.all([
        fetched("link", { rel: "stylesheet", href: files.plotStyle }),
        fetched("script", { src: files.plot }),
      ]),
    ));

  // ── light and dark ──

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-themes] button");
    if (!button) return;
    event.preventDefault();
    const secure = location.protocol === "https:" ? "; Secure" : "";
    document.cookie = `homing_theme=${button.value}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
    root.dataset.theme = button.value;
    for (const one of all("[data-themes] button")) {
      one.setAttribute("aria-pressed", String(one.value === button.value));
    }
    redraw();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => redraw());

  // ── the menu of narrow screens, copying, confirmations, links of rows ──

  document.addEventListener("click", (event) => {
    const menu = event.target.closest("[data-menu]");
    if (menu) {
      const shown = document.getElementById("menu").classList.toggle("shown");
      menu.setAttribute("aria-expanded", String(shown));
      return;
    }
    const copy = event.target.closest("[data-copy]");
    if (copy) {
      navigator.clipboard?.writeText(copy.dataset.copy).then(
        () => {
          copy.classList.add("done");
          setTimeout(() => copy.classList.remove("done"), 1500);
        },
        () => getSelection().selectAllChildren(copy.previousElementSibling ?? copy), // a frame that may not
      );
      return;
    }
    if (event.target.closest("[data-keys]")) return keys();
    const close = event.target.closest("[data-close]");
    if (close) {
      const details = close.closest("details");
      details.open = false;
      details.querySelector("summary").focus();
      return;
    }
    for (const open of all("details.confirm[open]")) {
      if (!open.contains(event.target)) open.open = false;
    }
  });

  // ── keys ──

  let before = "";
  const keys = () => {
    const dialog = document.getElementById("keys");
    if (!dialog.open) dialog.showModal();
  };
  const step = (by) => {
    const links = all("tr[data-row] a:first-of-type").filter(
      (link, at, found) => found.findIndex((one) => one.closest("tr") === link.closest("tr")) === at,
    );
    if (!links.length) return;
    const at = links.findIndex((link) => link.closest("tr").contains(document.activeElement));
    links[Math.min(Math.max(at + by, 0), links.length - 1)].focus();
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") {
      const open = document.activeElement && document.activeElement.closest("details.confirm[open]");
      if (open) {
        open.open = false;
        open.querySelector("summary").focus();
      } else if (isTyping(event.target)) event.target.blur();
      return;
    }
    if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
    if (before === "g") {
      const link = document.querySelector(`[data-go="${CSS.escape(event.key)}"]`);
      before = "";
      if (link) location.assign(link.href);
      return;
    }
    if (event.key === "g") {
      before = "g";
      setTimeout(() => (before = ""), 1500);
    } else if (event.key === "/") {
      const find = document.querySelector("[data-find-here]") || document.querySelector("[data-find]");
      if (!find) return;
      event.preventDefault();
      if (!find.offsetParent) document.querySelector("[data-menu]")?.click();
      find.focus();
      find.select();
    } else if (event.key === "?") keys();
    else if (event.key === "j") step(1);
    else if (event.key === "k") step(-1);
  });

  // ── staying fresh, and a service that is away ──

  const due = new WeakMap();
  let awaySince = 0;
  const isInUse = (part) => {
    const active = document.activeElement;
    const selected = getSelection();
    return (
      (active !== document.body && part.contains(active) && isTyping(active)) ||
      part.querySelector("details.confirm[open]") !== null ||
      (!selected.isCollapsed && part.contains(selected.anchorNode))
    );
  };
  const tick = () => {
    if (document.hidden || !window.htmx) return;
    const now = Date.now();
    if (awaySince) return look();
    for (const part of all("[data-live]")) {
      const every = Math.max(1, Number(part.dataset.live)) * 1000;
      if (!due.has(part)) due.set(part, now + every);
      if (now < due.get(part) || isInUse(part)) continue;
      due.set(part, now + every);
      htmx.trigger(part, "live");
    }
  };
  const away = () => {
    if (awaySince) return;
    awaySince = Date.now();
    document.querySelector("[data-away-since]").textContent =
      `at ${new Date(awaySince).toLocaleTimeString()}`;
    document.getElementById("away").hidden = false;
  };
  let asking = false;
  let nextLook = 0;
  const look = async () => {
    if (asking || Date.now() < nextLook) return;
    asking = true;
    try {
      const answer = await fetch("/api/v1/health/", { cache: "no-store", signal: AbortSignal.timeout(4000) });
      if (answer.status < 500) back();
    } catch {
      // still away
    }
    nextLook = Date.now() + 1500;
    asking = false;
  };
  const back = () => {
    awaySince = 0;
    document.getElementById("away").hidden = true;
    for (const part of all("[data-live]")) due.set(part, 0);
    tick();
  };
  document.addEventListener("htmx:sendError", away);
  document.addEventListener("htmx:timeout", away);
  document.addEventListener("htmx:responseError", (event) => {
    if (event.detail.xhr.status >= 502) away();
  });
  document.addEventListener("visibilitychange", tick);
  setInterval(tick, 1000);

  // What somebody opened stays open when the part around it is renewed.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const opened = all("details[id][open]", event.detail.target).map((one) => one.id);
    if (!opened.length) return;
    document.addEventListener(
      "htmx:afterSwap",
      () => opened.forEach((id) => document.getElementById(id)?.setAttribute("open", "")),
      { once: true },
    );
  });

  // ── times ──

  const units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const words = (seconds, isAgo) => {
    for (let at = 0; at < units.length; at += 1) {
      const [size, name] = units[at];
      if (seconds < size) continue;
      const whole = Math.floor(seconds / size);
      const lesser = at + 1 < units.length && !(isAgo && size === 60) ? Math.floor((seconds % size) / units[at + 1][0]) : 0;
      return `${whole} ${name}${lesser && whole < 10 ? ` ${lesser} ${units[at + 1][1]}` : ""}`;
    }
    return "";
  };
  const shift = () => {
    if (document.hidden) return;
    for (const one of all("time[data-ago]")) {
      const gone = Math.trunc((Date.now() - Date.parse(one.dateTime)) / 1000);
      const text = Math.abs(gone) < 1 ? "now" : gone > 0 ? `${words(gone, true)} ago` : `in ${words(-gone, true)}`;
      if (one.textContent !== text) one.textContent = text;
    }
  };
  setInterval(shift, 1000);

  // ── charts ──

  const plots = new Map();
  const numberOf = {
    count: (value) => value.toLocaleString("en-US", { maximumFractionDigits: 2 }),
    share: (value) => `${Number((value * 100).toFixed(3))}%`,
    ms: (value) => (value >= 1000 ? `${Number((value / 1000).toFixed(2))} s` : `${Number(value.toFixed(1))} ms`),
    s: (value) => (value >= 60 ? words(value) : `${Number(value.toFixed(2))} s`),
    bytes: (value) => {
      let at = 0;
      while (value >= 1024 && at < 3) [value, at] = [value / 1024, at + 1];
      return `${Number(value.toFixed(1))} ${["B", "KiB", "MiB", "GiB"][at]}`;
    },
  };
  const colour = (tone) => {
    const probe = document.createElement("span");
    probe.style.color = `var(--${tone})`;
    document.body.append(probe);
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  };
  const faint = (found, share) => found.replace("rgb(", "rgba(").replace(")", `, ${share})`);
  const tones = ["accent", "busy", "warn", "good", "off", "bad"];

  // Each series on top of those before it; the tallest is drawn first, so that all can be seen.
  const stacked = (spec) => {
    if (!spec.stack) return spec;
    const sums = spec.times.map(() => 0);
    const series = spec.series.map((one) => ({
      ...one,
      own: one.values,
      values: one.values.map((value, at) => (sums[at] += value ?? 0)),
    }));
    return { ...spec, series: series.reverse() };
  };

  // A value with none beside it makes no line, so it is a point.
  const alone = (plot, series) =>
    plot.data[series].flatMap((value, at, all) =>
      value != null && all[at - 1] == null && all[at + 1] == null ? [at] : [],
    );

  const draw = (figure) => {
    const spec = stacked(JSON.parse(figure.dataset.chart));
    const place = figure.querySelector(".plot");
    if (!place.clientWidth) return;
    if (spec.times.length < 2) {
      place.textContent = "Too little is known yet to draw it.";
      place.classList.add("soft", "small");
      return;
    }
    place.classList.remove("soft", "small");
    place.classList.toggle("stacked", Boolean(spec.stack));
    const show = numberOf[spec.unit] || numberOf.count;
    const text = colour("soft");
    const line = colour("line");
    const axis = { stroke: text, font: "12px system-ui, sans-serif", grid: { stroke: line, width: 1 }, ticks: { show: false } };
    const bars = spec.kind === "bars" ? uPlot.paths.bars({ size: [0.7, 40], radius: 0.15 }) : undefined;
    const series = spec.series.map((one, at) => {
      const stroke = colour(one.tone || tones[at % tones.length]);
      const fill = spec.kind === "line" ? undefined : spec.kind === "bars" ? stroke : faint(stroke, 0.14);
      return {
        label: one.label, stroke, fill, width: spec.kind === "bars" ? 0 : 1.75, paths: bars,
        points: { show: true, size: 6, fill: stroke, filter: alone }, spanGaps: false,
        value: (_, value, __, at) => {
          const own = one.own && at != null ? one.own[at] : value;
          return own == null ? "–" : show(own);
        },
      };
    });
    const span = spec.times[spec.times.length - 1] - spec.times[0];
    const options = {
      width: place.clientWidth,
      height: Number(figure.dataset.height) || 180,
      padding: [8, 18, 0, 0],
      cursor: { y: false, drag: { x: false, y: false } },
      legend: { live: true, markers: { width: 0, fill: (_, at) => series[at - 1]?.stroke } },
      scales: { y: { range: (_, low, high) => [Math.min(0, low ?? 0), spec.top ?? (high > 0 ? high * 1.08 : 1)] } },
      axes: [
        { ...axis, size: 30, grid: { show: false }, values: span > 2 * 86400 ? undefined : (_, ticks) => ticks.map((at) => new Date(at * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" })) },
        { ...axis, size: (_, values) => Math.max(48, 16 + 7 * Math.max(0, ...(values ?? []).map((one) => String(one ?? "").length))), values: (_, ticks) => ticks.map(show) },
      ],
      series: [{ value: (_, at) => (at == null ? "–" : new Date(at * 1000).toLocaleString([], { dateStyle: "medium", timeStyle: "short", hourCycle: "h23" })) }, ...series],
    };
    plots.get(figure)?.destroy();
    place.replaceChildren();
    plots.set(figure, new uPlot(options, [spec.times, ...spec.series.map((one) => one.values)], place));
  };
  const enhance = (inside) => {
    for (const hidden of all("[data-copy][hidden], [data-close][hidden]", inside)) hidden.hidden = false;
    const figures = all(".chart[data-chart]", inside);
    if (figures.length) withPlotter().then(() => figures.forEach(draw), away);
  };
  const redraw = () => {
    for (const figure of [...plots.keys()]) {
      if (figure.isConnected) draw(figure);
      else {
        plots.get(figure).destroy();
        plots.delete(figure);
      }
    }
  };
  let resized = 0;
  addEventListener("resize", () => {
    clearTimeout(resized);
    resized = setTimeout(redraw, 120);
  });
  document.addEventListener("DOMContentLoaded", () => {
    enhance(document);
    if (!document.querySelector("[data-live]")) return;
    settled.then(() => fetched("script", { src: files.live })).then(() => {
      htmx.onLoad((part) => {
        if (part === document.body) return; // enhanced already
        enhance(part.matches?.(".chart[data-chart]") ? part.parentElement : part);
        if (plots.size > 20) redraw();
      });
    }, away);
  });
})();
