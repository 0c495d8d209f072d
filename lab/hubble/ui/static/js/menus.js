// Menus, theme and the bar between map and table: the page's own furniture.

import { byId } from "./dom.js";
import { chooseTheme, chosenTheme, showTheme, system } from "./theme.js";

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

/** The radio buttons for the page's colours. */
export function setUpTheme() {
  const choice = byId("theme");
  for (const radio of choice.querySelectorAll("input")) radio.checked = radio.value === chosenTheme();
  choice.addEventListener("change", (event) => chooseTheme(event.target.value));
  system.addEventListener("change", showTheme);
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
