// SPDX-License-Identifier: Apache-2.0
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const panel = document.getElementById("panel");
  const find = document.getElementById("find");
  const boxes = [...document.querySelectorAll("g.box")];
  const byKey = new Map(boxes.map((box) => [box.dataset.key, box]));

  const make = (tag, text, name) => {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (name) made.className = name;
    return made;
  };

  const describe = (key) => {
    const found = data[key];
    const close = make("button", "×", "close");
    close.type = "button";
    close.setAttribute("aria-label", "Close");
    close.addEventListener("click", hide);
    const list = make("dl");
    for (const [label, value] of found.rows) {
      list.append(make("dt", label), make("dd", value));
    }
    panel.replaceChildren(close, make("h3", found.title), list);
    for (const note of found.notes) panel.append(make("p", note, "note"));
    for (const [label, keys] of [["from", found.up], ["to", found.down]]) {
      if (!keys.length) continue;
      const line = make("p", `${label} `, "next");
      for (const other of keys) {
        const link = make("button", data[other].title, "link");
        link.type = "button";
        link.dataset.key = other;
        line.append(link, " ");
      }
      panel.append(line);
    }
  };

  const rove = (key) => {
    for (const box of boxes) box.setAttribute("tabindex", box.dataset.key === key ? "0" : "-1");
  };

  const choose = (key, { reveal = false, open = true } = {}) => {
    const box = byKey.get(key);
    if (!box || !panel) return;
    const near = new Set([...data[key].up, ...data[key].down]);
    for (const other of boxes) {
      other.classList.toggle("chosen", other === box);
      other.classList.toggle("near", near.has(other.dataset.key));
      other.setAttribute("aria-pressed", String(other === box));
    }
    rove(key);
    describe(key);
    if (open) panel.classList.add("open");
    if (reveal) {
      box.scrollIntoView({ block: "center", inline: "center" });
      box.focus({ preventScroll: true });
    }
  };

  function hide() {
    panel.classList.remove("open");
    const box = document.querySelector("g.box.chosen");
    if (box) box.focus({ preventScroll: true });
  }

  const beside = (box, step) => {
    const row = [...box.parentNode.querySelectorAll("g.box")];
    row.sort((a, b) => a.getBoundingClientRect().left - b.getBoundingClientRect().left);
    const other = row[row.indexOf(box) + step];
    return other && other.dataset.key;
  };

  document.addEventListener("click", (event) => {
    const hit = event.target.closest("[data-key]");
    if (hit) choose(hit.dataset.key, { reveal: !hit.matches("g.box") });
  });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && panel) hide();
    const box = event.target.closest && event.target.closest("g.box");
    if (!box || event.ctrlKey || event.metaKey || event.altKey) return;
    const key = box.dataset.key;
    const moves = {
      Enter: () => key,
      " ": () => key,
      ArrowDown: () => data[key].down[0],
      ArrowUp: () => data[key].up[0],
      ArrowLeft: () => beside(box, -1),
      ArrowRight: () => beside(box, 1),
    };
    if (!(event.key in moves)) return;
    event.preventDefault();
    const next = moves[event.key]();
    if (next) choose(next, { reveal: next !== key });
  });

  if (find) {
    // a longest path names the nodes around, which nobody looks for by their neighbour
    const searched = (key) => data[key].rows.filter((row) => row[0] !== "longest path");
    const words = (key) =>
      [data[key].title, ...searched(key).map((row) => row[1])].join(" ").toLowerCase();
    const texts = new Map(boxes.map((box) => [box, words(box.dataset.key)]));
    let hits = [];
    let place = -1;
    find.addEventListener("input", () => {
      const wanted = find.value.trim().toLowerCase();
      hits = wanted ? boxes.filter((box) => texts.get(box).includes(wanted)) : [];
      place = -1;
      for (const box of boxes) box.classList.toggle("dim", wanted !== "" && !hits.includes(box));
      const number = `${hits.length} of ${boxes.length}; Enter goes to the next`;
      document.getElementById("found").textContent = wanted ? number : "";
      if (hits.length) hits[0].scrollIntoView({ block: "nearest", inline: "center" });
    });
    find.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !hits.length) return;
      place = (place + 1) % hits.length;
      choose(hits[place].dataset.key);
      hits[place].scrollIntoView({ block: "nearest", inline: "center" });
    });
  }

  // on paper nothing is to be unfolded
  let folded = [];
  window.addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open], .keep)")];
    for (const part of folded) part.open = true;
  });
  window.addEventListener("afterprint", () => {
    for (const part of folded) part.open = false;
  });

  if (boxes.length) {
    const first = document.querySelector("g.box.marked") || boxes[0];
    if (first.classList.contains("marked")) choose(first.dataset.key, { open: false });
    else rove(first.dataset.key);
  }
})();
