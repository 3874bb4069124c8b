// How far a file is, while the page is open; without a script a link tells it.
"use strict";

function followImport(section) {
  const done = section.querySelector("[data-import-done]");
  if (!done) return;
  const show = new Intl.NumberFormat(document.documentElement.lang);
  const source = new EventSource(section.dataset.import);
  source.addEventListener("import", (event) => {
    const told = JSON.parse(event.data);
    done.textContent = show.format(told.done);
    section.querySelector("progress").value = told.share;
    if (told.ended) {
      source.close();
      location.replace(location.pathname);
    }
  });
  window.addEventListener("pagehide", () => source.close());
}
document.querySelectorAll("[data-import]").forEach(followImport);
