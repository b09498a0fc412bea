"use strict";
(() => {
  const data = JSON.parse(document.querySelector("#data").textContent);
  const one = (selector, from = document) => from.querySelector(selector);
  const body = one("#guests tbody");
  const search = one("#search"), target = one("#target"), verdict = one("#verdict");
  const rows = [...body.rows].map((element, at) => ({ element, at, guest: data.guests[at], open: null, rules: null }));
  const severities = ["info", "warning", "error"];
  const rule = (number) => (number < 0 ? "" : data.rules[number]);

  const make = (name, text, kind) => {
    const element = document.createElement(name);
    element.textContent = text;
    if (kind) element.className = kind;
    return element;
  };

  // What is searched and sorted by, read from a row when it is first needed.
  const known = (row) => {
    if (!row.rules) {
      const cells = row.element.cells;
      row.rules = new Set([...row.guest[1], ...row.guest[2]].map((item) => rule(item[0])));
      row.name = cells[0].textContent;
      row.system = cells[1].textContent;
      row.source = cells[2].textContent;
      row.fixed = [row.name, row.system, row.source, ...row.rules].join("\n").toLowerCase();
    }
    return row;
  };

  const fits = (row, place, words) => {
    if (verdict.value && place[0] !== verdict.value) return false;
    if (words.length) known(row);
    return words.every((word) => {
      const [key, ...rest] = word.split(":");
      const value = rest.join(":");
      if (key === "rule" && value) return row.rules.has(value);
      if (key === "system" && value) return row.system === value;
      if (key === "source" && value) return row.source === value;
      const text = word.toLowerCase();
      return row.fixed.includes(text) || data.texts[place[2]].toLowerCase().includes(text);
    });
  };

  const wanted = () => {
    const text = search.value.trim();
    return /^(rule|system|source):/.test(text) ? [text] : text.split(/\s+/).filter(Boolean);
  };

  const apply = () => {
    const words = wanted();
    let shown = 0;
    for (const row of rows) {
      const place = row.guest[0][target.value || 0];
      const visible = fits(row, place, words);
      row.element.hidden = !visible;
      if (row.open) row.open.hidden = !visible;
      shown += visible;
    }
    one("#shown").textContent = `${shown} of ${rows.length} guests`;
    one("#nothing").hidden = shown > 0;
  };

  const retarget = () => {
    for (const row of rows) {
      const [standing, wave, reason, safe, unsafe, hand] = row.guest[0][target.value || 0];
      const cells = row.element.cells;
      cells[3].replaceChildren(make("span", data.labels[standing], `chip ${standing}`));
      [wave, data.texts[reason], safe, unsafe, hand].forEach((value, at) => { cells[4 + at].textContent = value; });
    }
    apply();
  };

  const keys = {
    name: (row) => known(row).name,
    system: (row) => known(row).system,
    source: (row) => known(row).source,
    verdict: (row) => row.guest[0][target.value || 0][1],
    wave: (row) => row.guest[0][target.value || 0][1],
    why: (row) => data.texts[row.guest[0][target.value || 0][2]],
    safe: (row) => row.guest[0][target.value || 0][3],
    unsafe: (row) => row.guest[0][target.value || 0][4],
    hand: (row) => row.guest[0][target.value || 0][5],
    data: (row) => row.guest[3],
    copy: (row) => row.guest[4],
  };
  const collator = new Intl.Collator("en", { numeric: true });
  const sort = (heading) => {
    const down = heading.getAttribute("aria-sort") === "ascending";
    for (const other of heading.parentElement.cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    const sorted = rows.map((row) => [keys[heading.dataset.key](row), row]);
    sorted.sort(([left, one], [right, other]) => {
      const order = typeof left === "number" ? left - right : collator.compare(left, right);
      return (down ? -order : order) || one.at - other.at;
    });
    body.append(...sorted.flatMap(([, row]) => (row.open ? [row.element, row.open] : [row.element])));
  };

  const toggle = (row) => {
    if (row.open) {
      row.open.remove();
      row.open = null;
      return;
    }
    const list = document.createElement("ul");
    for (const [number, severity, where, text, fix, targets] of row.guest[1]) {
      const item = document.createElement("li");
      item.append(make("b", severities[severity], severities[severity]), ` ${rule(number)} `);
      item.append(make("code", data.texts[where]), ` ${data.texts[text]}`);
      if (data.texts[fix]) item.append(make("i", ` Fix, ${data.texts[fix]}.`));
      if (data.targets.length > 1) item.append(make("small", ` on ${targets.map((at) => data.targets[at]).join(", ")}`));
      list.append(item);
    }
    for (const [number, where, text] of row.guest[2]) {
      const item = document.createElement("li");
      item.append(make("b", "not checked", "unknown"), ` ${rule(number)} `, make("code", data.texts[where]), ` ${data.texts[text]}`);
      list.append(item);
    }
    if (!list.children.length) list.append(make("li", "Nothing was found."));
    row.open = document.createElement("tr");
    row.open.className = "findings";
    const cell = row.open.insertCell();
    cell.colSpan = row.element.cells.length;
    cell.append(list);
    row.element.after(row.open);
  };

  body.addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (!link) return;
    event.preventDefault();
    toggle(rows[Number(link.closest("tr").dataset.at)]);
  });
  one("#guests thead").addEventListener("click", (event) => {
    const heading = event.target.closest("th[data-key]");
    if (heading) sort(heading);
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-search], [data-verdict]");
    if (!button) return;
    if (button.dataset.search) search.value = button.dataset.search;
    else {
      target.value = button.dataset.target;
      verdict.value = button.dataset.verdict;
    }
    retarget();
    one("#filter").scrollIntoView();
  });
  one("#filter").addEventListener("submit", (event) => event.preventDefault());
  search.addEventListener("input", apply);
  target.addEventListener("input", retarget);
  verdict.addEventListener("input", apply);
  one("#reset").addEventListener("click", () => {
    search.value = "";
    verdict.value = "";
    retarget();
  });
  one("#filter").hidden = false;
  target.hidden = data.targets.length < 2;
  apply();
  const linked = /^#g(\d+)$/.exec(location.hash);
  if (linked && rows[linked[1]]) toggle(rows[linked[1]]);
})();
