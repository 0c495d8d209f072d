// Menus, theme and the bar between map and table: the page's own furniture.

import { byId } from "./dom.js";

const THEME = "hubble-theme";
const HEIGHT = "hubble-table-height";
const STEP = 24;

/** Menus close when the user goes elsewhere or presses Escape. */
export function setUpMenus() {
  const menus = [...document.querySelectorAll("details.menu")];
  document.addEventListener("pointerdown", (event) => {
    for (const menu of menus) if (!menu.contains(event.target)) menu.open = false;
  });
  for (const menu of menus) {
    menu.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !menu.open) return;
      menu.open = false;
      menu.querySelector("summary").focus();
      event.stopPropagation();
    });
  }
}

/** Light, dark, or as the system says; remembered in this browser. */
export function setUpTheme() {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const choice = byId("theme");
  const apply = () => {
    const wanted = localStorage.getItem(THEME) || (system.matches ? "dark" : "light");
    document.documentElement.dataset.theme = wanted;
    for (const radio of choice.querySelectorAll("input")) radio.checked = radio.value === (localStorage.getItem(THEME) ?? "");
  };
  choice.addEventListener("change", (event) => {
    localStorage.setItem(THEME, event.target.value);
    apply();
  });
  system.addEventListener("change", apply);
  apply();
}

/** The bar between map and table: drag it, or use the arrow keys. */
export function setUpSplitter() {
  const bar = byId("splitter");
  const main = byId("main");
  const set = (height) => {
    const fitting = Math.round(Math.max(90, Math.min(main.clientHeight - 180, height)));
    main.style.setProperty("--table-height", `${fitting}px`);
    localStorage.setItem(HEIGHT, String(fitting));
  };
  const stored = Number(localStorage.getItem(HEIGHT));
  if (stored) set(stored);
  bar.addEventListener("pointerdown", (down) => {
    const from = byId("flows").clientHeight;
    const move = (event) => set(from + down.clientY - event.clientY);
    bar.setPointerCapture(down.pointerId);
    bar.addEventListener("pointermove", move);
    bar.addEventListener("pointerup", () => bar.removeEventListener("pointermove", move), { once: true });
  });
  bar.addEventListener("keydown", (event) => {
    const step = { ArrowUp: STEP, ArrowDown: -STEP }[event.key];
    if (!step) return;
    set(byId("flows").clientHeight + step);
    event.preventDefault();
  });
}
