// What the walkthrough's pages do beyond forms: keep what was begun, count seconds, count words.
"use strict";

(() => {
  const PREFIX = "homing-walk:";
  const CLOCK = "homing-walk-clock"; // "off": no clock is wanted
  const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];
  const one = (selector, inside = document) => inside.querySelector(selector);
  const minutes = (seconds) => {
    const whole = Math.round(seconds);
    return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
  };

  // ── the browser's store, which may be switched off or full ──

  const read = (key) => {
    try {
      return localStorage.getItem(key);
    } catch {
      return null;
    }
  };
  const write = (key, text) => {
    try {
      localStorage.setItem(key, text);
      return true;
    } catch {
      return false;
    }
  };
  const drop = (key) => {
    try {
      localStorage.removeItem(key);
    } catch {
      // there was nothing to drop
    }
  };
  /** What was kept under a key; null: nothing that these pages wrote. */
  const kept = (key) => {
    try {
      const found = JSON.parse(read(key));
      const is = found && typeof found.walk === "string" && typeof found.name === "string";
      const here = found?.walk ? /^\/walkthrough\/[\w-]+\/(learn|rehearse|mock)\?/ : /^\/incidents\/[\w-]+\/story\?/;
      return is && here.test(found.url) ? found : null;
    } catch {
      return null;
    }
  };
  const keys = () => {
    try {
      return Object.keys(localStorage).filter((key) => key.startsWith(PREFIX));
    } catch {
      return [];
    }
  };

  /** Every walk that is kept, with its key, the latest first. */
  const begun = () =>
    keys()
      .map((key) => [key, kept(key)])
      .filter(([, walk]) => walk)
      .sort(([, a], [, b]) => b.at - a.at);

  // ── keeping a walk ──

  const keepOn = (part) => {
    const family = `${PREFIX}${part.dataset.keep}/`;
    const key = family + part.dataset.keepBegun;
    const field = one("textarea[name=text]", part);
    const isFresh = "keepFresh" in part.dataset;
    // What a fresh page may go on with is the newest of its kind; every walk is kept by itself.
    const earlier = isFresh ? begun().find(([name, one]) => name.startsWith(family) && !one.done) : [key, kept(key)];
    const [name, before] = earlier ?? [key, null];
    const says = one("[data-keep-says]", part);
    const save = () => {
      const text = field && field.value !== field.defaultValue ? field.value : "";
      const found = {
        name: part.dataset.keepName,
        url: part.dataset.keepUrl,
        walk: part.dataset.keepWalk,
        place: part.dataset.keepPlace,
        text,
        fresh: isFresh,
        done: "keepDone" in part.dataset,
        at: Date.now(),
      };
      says.hidden = write(key, JSON.stringify(found));
    };
    const restore = () => {
      if (!field || !before?.text || before.place !== part.dataset.keepPlace) return;
      field.value = before.text;
      field.dispatchEvent(new Event("input", { bubbles: true }));
    };
    if (isFresh && before && !before.fresh) {
      const offer = one("[data-offer]", part);
      offer.hidden = false;
      const form = one("form", offer);
      form.setAttribute("action", before.url);
      form.elements.walk.value = before.walk;
      one("[data-offer-anew]", offer).addEventListener("click", () => {
        offer.hidden = true;
        (field ?? one("button.choice, button.primary", part))?.focus();
      });
    } else {
      restore();
      if (name !== key) drop(name); // words without a walk move to this one
      if (!isFresh || before) save();
    }
    let waits = 0;
    field?.addEventListener("input", () => {
      clearTimeout(waits);
      waits = setTimeout(save, 250);
    });
    addEventListener("pagehide", () => {
      if (field && field.value !== field.defaultValue) save();
    });
  };

  /** Words of one's own about an incident, which are no walk. */
  const keepOwn = (field) => {
    const key = `${PREFIX}own/${field.dataset.own}`;
    const says = one("[data-own-says]", field.closest(".field"));
    const save = () => {
      const { ownUrl: url, ownName: name } = field.dataset;
      write(key, JSON.stringify({ name, url, walk: "", text: field.value, at: Date.now() }));
    };
    const before = kept(key);
    if (!("ownFresh" in field.dataset)) save();
    else if (before && before.text !== field.value) {
      field.value = before.text;
      says.hidden = false;
    }
    one("[data-own-reset]", says).addEventListener("click", () => {
      drop(key);
      field.value = field.defaultValue;
      says.hidden = true;
      field.focus();
    });
    let waits = 0;
    field.addEventListener("input", () => {
      clearTimeout(waits);
      waits = setTimeout(save, 250);
    });
  };

  // ── what was begun, on the page of all stories ──

  const showBegun = (part) => {
    const found = begun();
    const list = one("[data-begun-list]", part);
    list.replaceChildren(
      ...found.map(([, walk]) => {
        const line = one("[data-begun-form]", part).content.cloneNode(true);
        one("[data-name]", line).textContent = walk.name;
        one("[data-when]", line).textContent =
          `${walk.done ? "finished" : "begun"}, ${new Date(walk.at).toLocaleString([], { dateStyle: "medium", timeStyle: "short", hourCycle: "h23" })}`;
        const form = one("form", line);
        if (!walk.walk) {
          const link = Object.assign(document.createElement("a"), { href: walk.url, className: "button" });
          link.textContent = "Go on";
          form.replaceWith(link);
          return line;
        }
        form.setAttribute("action", walk.url);
        form.elements.walk.value = walk.walk;
        one("button", form).textContent = walk.done ? "Look at it" : "Go on";
        return line;
      }),
    );
    part.hidden = found.length === 0;
  };
  const forget = () => {
    for (const key of keys()) drop(key);
    drop(CLOCK);
    for (const part of all("[data-begun]")) {
      showBegun(part);
      part.hidden = true;
    }
    const said = one("[data-forgotten]");
    said.hidden = false;
    said.focus();
  };

  // ── the clock: it informs, and cuts nobody off ──

  const SHARES = [[1.5, "well over"], [1, "over time"], [0.8, "wrap up"], [0, "on track"]];
  const clockOf = (part) => {
    const target = Number(part.dataset.clock);
    const [face, left, pace] = ["face", "left", "pace"].map((name) => one(`[data-clock-${name}]`, part));
    const [go, again, off] = ["go", "again", "off"].map((name) => one(`[data-clock-${name}]`, part));
    const [says, field, aloud] = [one("[data-clock-says]", part), one("[name=said_s]", part), one("[name=aloud]", part)];
    let counted = (Number(field.value) || 0) * 1000; // ms, of the turns before this one
    let since = 0; // 0: it stands
    let ticking = 0;
    let told = "";
    const seconds = () => (counted + (since ? performance.now() - since : 0)) / 1000;
    const show = () => {
      const s = Math.floor(seconds());
      const name = SHARES.find(([share]) => s >= share * target)[1];
      const rest = target - s;
      face.textContent = minutes(s);
      left.textContent = rest >= 0 ? `${minutes(rest)} left` : `${minutes(-rest)} over`;
      pace.textContent = name;
      part.dataset.pace = name;
      field.value = String(Math.min(s, 99_999));
      if (since && name !== told && name !== "on track") {
        const unit = Math.abs(rest) === 1 ? "second" : "seconds";
        says.textContent = `${name}: ${Math.abs(rest)} ${unit} ${rest > 0 ? "left" : "over"}`;
      }
      told = name;
    };
    const stop = () => {
      counted = seconds() * 1000;
      since = 0;
      clearInterval(ticking);
      go.textContent = counted ? "Go on" : "Start the clock";
      show();
    };
    const start = () => {
      since = performance.now();
      ticking = setInterval(show, 250);
      go.textContent = "Pause";
      again.hidden = false;
      aloud.checked = true;
      show();
    };
    const reset = () => {
      stop();
      counted = 0;
      told = "";
      says.textContent = "";
      aloud.checked = false;
      again.hidden = true;
      go.textContent = "Start the clock";
      show();
      go.focus();
    };
    const wanted = () => read(CLOCK) !== "off";
    const arrange = () => {
      for (const piece of all("[data-clock-on]", part)) piece.hidden = !wanted();
      again.hidden = !wanted() || seconds() === 0;
      off.hidden = false;
      off.textContent = wanted() ? "No clock" : "With a clock";
    };
    go.addEventListener("click", () => (since ? stop() : start()));
    again.addEventListener("click", reset);
    off.addEventListener("click", () => {
      if (wanted()) reset();
      if (wanted()) write(CLOCK, "off");
      else drop(CLOCK);
      arrange();
      off.focus();
    });
    part.closest("form").addEventListener("submit", show);
    stop();
    aloud.checked = counted > 0;
    arrange();
  };

  // ── words, and how long they take to say ──

  const countWords = (field) => {
    const help = one("[data-count]", field.closest(".field"));
    const empty = help.textContent;
    const perMinute = Number(field.dataset.perMinute);
    const target = Number(field.dataset.words);
    const show = () => {
      const words = (field.value.match(/\S+/g) ?? []).length;
      const about = minutes((words * 60) / perMinute);
      help.textContent = words
        ? `${words} ${words === 1 ? "word" : "words"}, about ${about} to say; aimed at ${minutes(target)}.`
        : empty;
    };
    field.addEventListener("input", show);
    if (field.value) show();
  };

  // ── keys ──

  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("textarea");
    if (typing && event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      const form = typing.form;
      form.requestSubmit(one("button.primary", form));
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (event.target.closest?.("input, textarea, select")) return;
    const choices = all("button.choice:not([aria-disabled])");
    const choice = choices[Number(event.key) - 1];
    if (/^[1-9]$/.test(event.key) && choice) choice.click();
    else if (event.key === "n") one("[data-next]")?.click();
    else if (event.key === "p") one("[data-back]")?.click();
  });

  const onReady = () => {
    for (const field of all("textarea[data-words]")) countWords(field);
    for (const part of all("[data-clock]")) clockOf(part);
    for (const part of all("[data-keep]")) keepOn(part);
    for (const field of all("[data-own]")) keepOwn(field);
    for (const part of all("[data-begun]")) showBegun(part);
    for (const button of all("[data-forget]")) button.addEventListener("click", forget);
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", onReady);
  else onReady();
})();
