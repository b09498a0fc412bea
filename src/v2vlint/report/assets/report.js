"use strict";
(() => {
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const bar = document.querySelector("#filter");
  const search = document.querySelector("#search");
  const target = document.querySelector("#target");
  const items = all("[data-item]").map((element) => ({
    element,
    kind: element.dataset.item,
    targets: element.dataset.targets.split(" "),
    text: element.textContent.toLowerCase(),
  }));

  const apply = () => {
    const kinds = new Set(all("[name=kind]:checked").map((box) => box.value));
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = target ? target.value : "";
    let shown = 0;
    for (const item of items) {
      const fits =
        kinds.has(item.kind) &&
        (!wanted || item.targets.includes(wanted)) &&
        words.every((word) => item.text.includes(word));
      item.element.hidden = !fits;
      shown += fits;
    }
    for (const forecast of all("[data-forecast]")) {
      forecast.hidden = Boolean(wanted) && forecast.dataset.forecast !== wanted;
    }
    const narrowed = shown < items.length;
    for (const section of all("[data-section]")) {
      section.hidden = !all("[data-item]", section).some((element) => !element.hidden);
      if (section.tagName === "DETAILS" && narrowed && words.length) section.open = true;
    }
    document.querySelector("#shown").textContent = `${shown} of ${items.length} shown`;
    document.querySelector("#nothing").hidden = shown > 0 || items.length === 0;
  };

  const reset = () => {
    search.value = "";
    if (target) target.value = "";
    for (const box of all("[name=kind]")) box.checked = true;
    apply();
  };

  bar.hidden = false;
  bar.addEventListener("input", apply);
  bar.addEventListener("submit", (event) => event.preventDefault());
  document.querySelector("#reset").addEventListener("click", reset);
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && event.target !== search) {
      event.preventDefault();
      search.focus();
    } else if (event.key === "Escape" && event.target === search) {
      reset();
    }
  });
  addEventListener("hashchange", () => openAround(location.hash));
  const openAround = (hash) => {
    const found = hash.length > 1 && document.getElementById(decodeURIComponent(hash.slice(1)));
    for (let element = found; element; element = element.parentElement) {
      if (element.tagName === "DETAILS") element.open = true;
    }
    if (found) found.scrollIntoView();
  };
  addEventListener("beforeprint", () => all("details:not(.quiet)").forEach((details) => (details.open = true)));
  openAround(location.hash);
  apply();
})();
