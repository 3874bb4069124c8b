// Light touches on the proposals' pages; all of it works without.
"use strict";

// What other terms would come to, while they are typed.
function follow(form) {
  const out = form.querySelector("[data-counter-total]");
  const money = new Intl.NumberFormat(document.documentElement.lang, { style: "currency", currency: "CNY", currencyDisplay: "narrowSymbol" });
  const number = (input) => parseFloat((input?.value || "").replace(/[\s,，_]/g, "")) || 0;
  function show() {
    let total = 0;
    form.querySelectorAll("[data-leg]").forEach((leg) => {
      const price = number(leg.querySelector("input[name^='price_']"));
      let quantity = 0;
      leg.querySelectorAll("input[name^='q_']").forEach((input) => { quantity += number(input); });
      if (leg.querySelector("select[name^='week_']")?.value) quantity += number(leg.querySelector("input[name^='more_']"));
      total += price * quantity + parseFloat(leg.dataset.setup);
    });
    const now = parseFloat(out.dataset.now);
    const same = Math.abs(total - now) < 0.005;
    out.textContent = same ? "" : out.dataset.words.replace("{new}", money.format(total)).replace("{old}", money.format(now));
  }
  form.addEventListener("input", show);
  form.addEventListener("change", show);
}
document.querySelectorAll("form[data-counter]").forEach(follow);

// How many are ticked, and a box that ticks all. The list may be put in anew, so ask the document.
function count() {
  document.querySelectorAll("form.many").forEach((form) => {
    const boxes = [...form.querySelectorAll("input[name=chosen]")];
    const chosen = boxes.filter((box) => box.checked).length;
    const all = form.querySelector("[data-choose-all]");
    all.hidden = false;
    all.querySelector("input").checked = chosen === boxes.length;
    const said = form.querySelector("[data-chosen]");
    if (chosen || said.dataset.counted) {
      said.dataset.counted = "yes";
      said.textContent = said.dataset.chosen.replace("{n}", chosen);
    }
  });
}
document.addEventListener("change", (event) => {
  const all = event.target.closest("[data-choose-all]");
  if (all) {
    event.target.form.querySelectorAll("input[name=chosen]").forEach((box) => { box.checked = event.target.checked; });
  }
  if (all || event.target.name === "chosen") count();
});
document.addEventListener("fresh", count);
count();

// A link to a folded part opens it.
function unfold() {
  const part = location.hash.length > 1 && document.querySelector(`details${location.hash}`);
  if (part) part.open = true;
}
window.addEventListener("hashchange", unfold);
unfold();

document.querySelectorAll("[data-print]").forEach((button) => {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
});
