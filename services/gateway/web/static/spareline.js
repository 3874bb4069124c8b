// Light touches on pages that work without any script: live counts, time left, more rows.
"use strict";

// Time left on a lease. The server wrote the moment; the browser counts down to it.
function timeLeft(element) {
  const seconds = Math.floor((new Date(element.dateTime) - Date.now()) / 1000);
  const language = document.documentElement.lang;
  if (seconds <= 0) {
    element.textContent = element.dataset.over;
    return;
  }
  const parts = [[86400, "day"], [3600, "hour"], [60, "minute"], [1, "second"]];
  // Days are too coarse below three of them.
  const [size, unit] = parts.find(([size]) => seconds >= (size === 86400 ? 3 * size : size));
  const format = new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "long" });
  element.textContent = format.format(Math.floor(seconds / size));
}

function tick() {
  document.querySelectorAll("time[data-left]").forEach(timeLeft);
}

// Whether the reader has a hand in it: a focus, or a tick that would be lost.
function busy(region) {
  return region.contains(document.activeElement) || region.querySelector("input:checked") !== null;
}

// The inbox count, and a reload of the list that is on screen, when something changes.
function live(address) {
  const source = new EventSource(address);
  source.addEventListener("inbox", (event) => {
    const { waiting } = JSON.parse(event.data);
    document.querySelectorAll("[data-inbox-count]").forEach((badge) => {
      badge.textContent = waiting;
      badge.hidden = waiting === 0;
    });
  });
  source.addEventListener("changed", async () => {
    const region = document.querySelector("[data-live-region]");
    if (!region || busy(region)) return;
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.querySelector("[data-live-region]");
    if (fresh && fresh.innerHTML !== region.innerHTML && !busy(region)) {
      region.replaceWith(fresh);
      fresh.classList.add("fresh");
      tick();
      document.dispatchEvent(new Event("fresh"));
    }
  });
  window.addEventListener("pagehide", () => source.close());
}

// A form that is being sent cannot be sent twice by an impatient thumb.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sending) {
    event.preventDefault();
    return;
  }
  form.dataset.sending = "yes";
  window.addEventListener("pageshow", () => delete form.dataset.sending, { once: true });
});

tick();
setInterval(tick, 1000);
if (document.body.dataset.live) live(document.body.dataset.live);

// A running round: its figures as they change, and the whole page once it has ended.
function followRound(section) {
  const money = new Intl.NumberFormat(document.documentElement.lang, { style: "currency", currency: "CNY", currencyDisplay: "narrowSymbol", maximumFractionDigits: 0 });
  const source = new EventSource(section.dataset.round);
  source.addEventListener("round", (event) => {
    const round = JSON.parse(event.data);
    if (round.ended) {
      source.close();
      location.reload();
      return;
    }
    section.querySelector("[data-round-phase]").textContent = round.phase || "—";
    section.querySelectorAll("[data-phase]").forEach((step) => {
      if (step.dataset.phase === round.phase) step.setAttribute("aria-current", "step");
      else step.removeAttribute("aria-current");
    });
    const best = section.querySelector("[data-round-best]");  // operators see it
    if (best) {
      const show = (name, text) => { section.querySelector(`[data-round-${name}]`).textContent = text; };
      const gap = (round.bound - round.best) / Math.max(1, Math.abs(round.bound));
      best.textContent = money.format(round.best / 100);
      show("bound", round.bound === null ? "—" : money.format(round.bound / 100));
      show("gap", round.bound === null ? "—" : `≤ ${(Math.ceil(gap * 10000) / 100).toFixed(2)} %`);
      show("parts", `${round.done} / ${round.total}`);
      show("elapsed", `${(round.elapsed / 1000).toFixed(1)} s`);
      const bar = section.querySelector("[data-round-bar]");
      bar.max = round.total || 1;
      bar.value = round.done;
    }
  });
  window.addEventListener("pagehide", () => source.close());
}
document.querySelectorAll("[data-round]").forEach(followRound);

// On a phone the way between the operator's pages is longer than the screen.
document.querySelector(".operator-nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

// Choosing a line's capability brings its fields at once, without the "Go on" button.
document.addEventListener("change", (event) => {
  const select = event.target.closest("select[name$='_capability']");
  if (!select) return;
  const form = select.form;
  const action = document.createElement("input");
  action.type = "hidden";
  action.name = "action";
  action.value = "refresh";
  form.noValidate = true;
  form.append(action);
  form.submit();
});
