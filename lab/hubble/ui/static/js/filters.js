// The filter box: entries become chips; Enter or a comma ends an entry, Backspace takes the last.

import { byId, el, put } from "./dom.js";

export class FilterBox {
  /** `onChange(entries)` when the user has changed the list. */
  constructor(onChange) {
    this.entries = [];
    this.unreadable = false;
    this.onChange = onChange;
    this.input = byId("filter");
    this.hint = this.input.placeholder;
    this.input.addEventListener("keydown", (event) => this.key(event));
    this.input.addEventListener("blur", () => this.take());
    byId("filterbox").addEventListener("click", () => this.input.focus());
  }

  set(entries) {
    this.entries = [...entries];
    this.draw();
  }

  add(entry) {
    if (!entry || this.entries.includes(entry)) return;
    this.entries.push(entry);
    this.changed();
  }

  /** Show what the server could not understand; nothing takes it away again. */
  problem(text) {
    this.unreadable = Boolean(text);
    const place = byId("filter-problem");
    place.textContent = text ?? "";
    place.hidden = !text;
    this.input.toggleAttribute("aria-invalid", this.unreadable);
  }

  key(event) {
    if (event.key === "Enter" || event.key === ",") this.take();
    else if (event.key === "Backspace" && !this.input.value) this.remove(this.entries.length - 1);
    else return;
    if (event.key !== "Backspace") event.preventDefault();
  }

  take() {
    const text = this.input.value.trim();
    this.input.value = "";
    this.add(text);
  }

  remove(index) {
    if (index < 0) return;
    this.entries.splice(index, 1);
    this.changed();
    this.input.focus();
  }

  changed() {
    this.draw();
    this.onChange([...this.entries]);
  }

  draw() {
    this.input.placeholder = this.entries.length ? "" : this.hint;
    put(byId("chips"), ...this.entries.map((entry, index) => {
      const remove = el("button", { type: "button", "aria-label": `Remove ${entry}` }, "×");
      remove.addEventListener("click", (event) => {
        event.stopPropagation();
        this.remove(index);
      });
      return el("li", { class: entry.startsWith("!") ? "not" : "" }, el("span", { title: entry }, entry), remove);
    }));
  }
}
