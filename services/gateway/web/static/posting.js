// The week grid and drafts that keep themselves, on forms that work without either.
"use strict";

const number = (text) => {
  const found = Number(String(text).replace(/[\s,，_]/g, ""));
  return Number.isFinite(found) && found >= 0 ? found : null;
};

function weekGrid(box) {
  const form = box.closest("form");
  const cells = [...box.querySelectorAll("input[data-week]")];
  const total = box.querySelector("[data-week-total]");
  const brush = form.querySelector("[name=quantity_0]");
  const show = new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: 2 });

  function draw() {
    const amounts = cells.map((cell) => number(cell.value) || 0);
    const most = Math.max(...amounts, 0);
    cells.forEach((cell, i) => {
      cell.style.setProperty("--fill", most ? `${(100 * amounts[i]) / most}%` : "0%");
      cell.classList.toggle("some", amounts[i] > 0);
    });
    const sum = amounts.reduce((a, b) => a + b, 0);
    total.textContent = sum ? `${box.dataset.total.replace("{n}", show.format(sum))} ${box.dataset.unit}` : "";
  }

  // The lines "each week from … until …" fill the grid; from then on the grid is what counts.
  function fromLines() {
    const sums = new Map();
    form.querySelectorAll("[data-row=weeks]").forEach((row) => {
      const [quantity, from, to] = row.querySelectorAll("input, select");
      if (!number(quantity.value) || !from.value) return;
      cells.forEach((cell) => {
        const week = cell.dataset.week;
        if (week >= from.value && week <= (to.value || from.value)) sums.set(cell, (sums.get(cell) || 0) + number(quantity.value));
      });
    });
    return sums;
  }
  function fill(untouchedOnly) {
    const sums = fromLines();
    cells.forEach((cell) => {
      if (untouchedOnly && cell.value) return;
      cell.value = sums.has(cell) ? String(sums.get(cell)) : "";
    });
    draw();
  }
  form.querySelectorAll("[data-row=weeks] input, [data-row=weeks] select").forEach((field) => field.addEventListener("change", () => fill(false)));
  // A week that was emptied says so, else the line above would fill it again.
  form.addEventListener("submit", () => {
    const sums = fromLines();
    cells.forEach((cell) => { if (!cell.value && sums.has(cell)) cell.value = "0"; });
  });

  let stroke = null;
  const at = (event) => document.elementFromPoint(event.clientX, event.clientY)?.closest?.("td")?.querySelector("input[data-week]");
  const paint = (cell) => { cell.value = stroke.value; };
  box.addEventListener("pointerdown", (event) => {
    const cell = event.target.closest("td")?.querySelector("input[data-week]");
    if (cell && event.button === 0) stroke = { from: cell, last: null, value: null };
  });
  box.addEventListener("pointermove", (event) => {
    const cell = stroke && at(event);
    if (!cell || (stroke.value === null && cell === stroke.from)) return;
    if (stroke.value === null) {
      const amount = number(brush.value) ? brush.value : stroke.from.value || brush.value;
      stroke.value = stroke.from.value && stroke.from.value === amount && cell.value === amount ? "" : amount;
      box.classList.add("painting");
      document.activeElement?.blur();
      stroke.last = stroke.from;
    }
    const [a, b] = [cells.indexOf(stroke.last), cells.indexOf(cell)].sort((x, y) => x - y);
    cells.slice(a, b + 1).forEach(paint);
    stroke.last = cell;
    draw();
  });
  const lift = () => {
    if (stroke?.value !== null && stroke) form.dispatchEvent(new Event("input", { bubbles: true }));
    stroke = null;
    box.classList.remove("painting");
  };
  window.addEventListener("pointerup", lift);
  window.addEventListener("pointercancel", lift);
  // A finger that lies on a field keeps its events to that field unless it is let go.
  box.addEventListener("pointerdown", (event) => event.target.releasePointerCapture?.(event.pointerId));

  box.addEventListener("keydown", (event) => {
    const cell = event.target.closest("input[data-week]");
    if (!cell) return;
    const row = cell.closest("tr").querySelectorAll("input").length;
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -row, ArrowDown: row }[event.key];
    const i = cells.indexOf(cell);
    if (step && cells[i + step]) {
      event.preventDefault();
      if (event.shiftKey) cells[i + step].value = cell.value;
      cells[i + step].focus();
      cells[i + step].select();
    } else if (event.key === " ") {
      event.preventDefault();
      cell.value = cell.value ? "" : brush.value;
    } else return;
    draw();
  });
  box.addEventListener("paste", (event) => {
    const cell = event.target.closest("input[data-week]");
    const text = event.clipboardData.getData("text");
    if (!cell || !/[\t\n]/.test(text.trim())) return;
    event.preventDefault();
    const start = cells.indexOf(cell);
    text.trim().split(/[\t\r\n]+/).forEach((part, i) => {
      if (cells[start + i] && number(part) !== null) cells[start + i].value = part.trim();
    });
    draw();
  });
  box.addEventListener("input", draw);

  // "Fill in" fetches the page that the button would lead to, and takes the weeks out of it.
  box.querySelector("[data-week-fill]").addEventListener("click", async (event) => {
    event.preventDefault();
    const sent = new FormData(form);
    sent.set("action", "fill");
    const answer = await fetch(form.getAttribute("action") || location.href, { method: "POST", body: new URLSearchParams(sent) });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const plan = page.querySelector(".plan");
    if (!plan) return;
    cells.forEach((cell) => {
      const told = page.getElementById(cell.id);
      if (told) cell.value = told.value;
    });
    const mine = box.querySelector(".plan textarea");
    mine.value = page.querySelector(".plan textarea").value;
    const wrong = page.querySelector("#plan-wrong");
    box.querySelector("#plan-wrong")?.remove();
    if (wrong) mine.after(document.importNode(wrong, true));
    draw();
  });

  // The grid does all that more lines of weeks could.
  form.querySelectorAll("[data-row=weeks]").forEach((row, i) => {
    if (i > 0 && !row.querySelector("input").value) row.hidden = true;
  });
  box.open = true;
  fill(true);
}

// A draft is kept some seconds after the last stroke, so that a dead battery costs nothing, and when the page goes.
function keepDrafts(form) {
  const note = form.querySelector("[data-kept]");
  let timer = 0;
  async function keep() {
    timer = 0;
    const sent = new FormData(form);
    sent.set("action", "draft");
    const answer = await fetch(form.getAttribute("action"), {
      method: "POST",
      headers: { Accept: "application/json" },
      body: new URLSearchParams(sent),
      keepalive: true,
    }).catch(() => null);
    if (answer?.ok) note.textContent = note.dataset.kept;
  }
  form.addEventListener("input", () => {
    note.textContent = "";
    clearTimeout(timer);
    timer = setTimeout(keep, 3000);
  });
  form.addEventListener("submit", () => {
    clearTimeout(timer);
    timer = 0;
  });
  // Closing the tab, or going to another app, does not wait for those seconds.
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState !== "hidden" || !timer) return;
    clearTimeout(timer);
    keep();
  });
}

document.querySelectorAll("[data-week-grid]").forEach(weekGrid);
document.querySelectorAll("form[data-draft]").forEach(keepDrafts);
