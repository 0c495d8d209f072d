// The flow table: newest first, a bounded number of rows, changed once a frame.

import { byId, el, put } from "./dom.js";
import { age } from "./age.js";
import { COLUMNS, chosen } from "./columns.js";
import { DEFAULT_COLUMNS } from "./state.js";

const KEPT = 300;
const SHOWN = 150;
const AGEING = 1000;
const NARROWEST = 112;

export class Table {
  /** `onPick(row)` is called with the row that the user opens. */
  constructor(onPick, onColumns) {
    this.body = byId("rows");
    this.head = byId("head");
    this.rows = [];
    this.onPick = onPick;
    this.picked = "";
    this.matched = 0;
    this.waiting = 0;
    this.undrawn = 0;
    this.live = true;
    this.frame = 0;
    this.makeColumnMenu(onColumns);
    byId("live").addEventListener("click", () => this.setLive(!this.live));
    this.body.addEventListener("click", (event) => this.pickAt(event.target));
    this.body.addEventListener("keydown", (event) => this.key(event));
    setInterval(() => this.refreshAges(), AGEING);
  }

  /** Show the columns with these ids; without a known one, the usual ones. */
  setColumns(asked) {
    const ids = chosen(asked).length ? asked : DEFAULT_COLUMNS;
    for (const box of byId("columns").querySelectorAll("input")) box.checked = ids.includes(box.value);
    if (this.ids === String(ids)) return; // rows made anew would lose the focus
    this.ids = String(ids);
    this.columns = chosen(ids);
    const whole = this.columns.reduce((sum, column) => sum + (column.weight ?? 1), 0);
    this.head.closest("table").style.minWidth = `${Math.round(whole * NARROWEST)}px`;
    put(this.head, ...this.columns.map((column) => el("th", { scope: "col" }, column.name)));
    this.columns.forEach((column, index) => {
      this.head.children[index].style.width = `${((column.weight ?? 1) / whole) * 100}%`;
    });
    this.redraw();
  }

  clear() {
    this.rows = [];
    this.matched = this.waiting = this.undrawn = 0;
    this.redraw();
  }

  /** Take what one tick brought: rows newest first, and how many more there were. */
  add({ rows, skipped, matched, undrawn }) {
    this.matched = matched;
    this.undrawn = undrawn;
    if (!this.live) {
      this.waiting += rows.length + skipped;
      this.held = [...rows, ...(this.held ?? [])].slice(0, KEPT);
      this.count();
      return;
    }
    this.rows = [...rows, ...this.rows].slice(0, KEPT);
    this.fresh = (this.fresh ?? 0) + rows.length;
    this.frame ||= requestAnimationFrame(() => this.draw());
  }

  setLive(live) {
    this.live = live;
    byId("live").setAttribute("aria-pressed", String(live));
    byId("live").textContent = live ? "Live" : "Paused";
    if (live && this.held) {
      this.rows = [...this.held, ...this.rows].slice(0, KEPT);
      this.held = undefined;
      this.waiting = 0;
      this.redraw();
    }
    this.count();
  }

  pick(id) {
    this.picked = id;
    for (const line of this.body.children) line.setAttribute("aria-selected", String(line.dataset.id === id));
  }

  draw() {
    this.frame = 0;
    const fresh = Math.min(this.fresh ?? 0, SHOWN, this.rows.length);
    this.fresh = 0;
    const focused = document.activeElement?.parentElement === this.body;
    const lines = this.rows.slice(0, fresh).map((row) => this.line(row));
    this.body.prepend(...lines);
    while (this.body.children.length > SHOWN) this.body.lastElementChild.remove();
    if (!focused) this.moveTabStop();
    else if (document.activeElement.parentElement !== this.body) this.focus(this.body.lastElementChild);
    this.count();
  }

  redraw() {
    if (!this.columns) return;
    put(this.body, ...this.rows.slice(0, SHOWN).map((row) => this.line(row)));
    this.fresh = 0;
    this.moveTabStop();
    this.count();
  }

  line(row) {
    const selected = String(row.id === this.picked);
    const line = el("tr", { "data-id": row.id, tabindex: "-1", "aria-selected": selected });
    line.flow = row;
    for (const column of this.columns) {
      const cell = el("td");
      column.fill(row, cell);
      line.append(cell);
    }
    return line;
  }

  count() {
    const undrawn = this.undrawn ? `, ${this.undrawn.toLocaleString("en")} beyond what the map can draw` : "";
    const shown = `${this.matched.toLocaleString("en")} matched${undrawn}`;
    byId("count").textContent = this.live ? shown : `${shown}, ${this.waiting.toLocaleString("en")} new while paused`;
    byId("none").hidden = this.rows.length > 0;
  }

  /** Exactly one row can be reached by Tab; the arrow keys go on from there. */
  moveTabStop(to = this.body.firstElementChild) {
    for (const line of this.body.querySelectorAll("[tabindex='0']")) line.tabIndex = -1;
    if (to) to.tabIndex = 0;
  }

  focus(line) {
    this.moveTabStop(line);
    line.focus();
  }

  key(event) {
    const line = event.target.closest("tr");
    const moves = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" };
    if (moves[event.key]) {
      const next = line?.[moves[event.key]];
      if (next) this.focus(next);
    } else if (event.key === "Enter" || event.key === " ") this.pickAt(line);
    else return;
    event.preventDefault();
  }

  pickAt(target) {
    const line = target?.closest("tr");
    if (line) this.onPick(line.flow);
  }

  refreshAges() {
    const now = Date.now();
    for (const cell of this.body.querySelectorAll("td[data-time]")) {
      const words = age(now - Number(cell.dataset.time));
      if (cell.textContent !== words) cell.textContent = words;
    }
  }

  makeColumnMenu(onColumns) {
    const fieldset = byId("columns").querySelector("fieldset");
    for (const { id, name } of COLUMNS) {
      fieldset.append(el("label", {}, el("input", { type: "checkbox", value: id }), name));
    }
    fieldset.addEventListener("change", () => {
      const ids = [...fieldset.querySelectorAll("input:checked")].map((box) => box.value);
      onColumns(ids.length ? ids : ["time"]);
    });
  }
}
