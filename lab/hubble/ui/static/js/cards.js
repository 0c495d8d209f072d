// Cards of the service map.

import { el, put, svg } from "./dom.js";

const ICONS = {
  host: ["M3 4h18v6H3z", "M3 14h18v6H3z", "M7 7h.01", "M7 17h.01"],
  "remote-node": ["M9 3h6v5H9z", "M2 16h6v5H2z", "M16 16h6v5h-6z", "M12 8v4M5 16v-4h14v4"],
  world: ["M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z", "M3 12h18", "M12 3c3 3 3 15 0 18M12 3c-3 3-3 15 0 18"],
  "kube-apiserver": ["M12 3l8 4.5v9L12 21l-8-4.5v-9z", "M12 8v8M8.5 10l7 4M15.5 10l-7 4"],
  other: ["M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z", "M12 8v5", "M12 16h.01"],
};

const WORLDS = ["world", "world-ipv4", "world-ipv6"];

/** A card as a button; `onPick(id)` when it is pressed. */
export function make(card, onPick) {
  const element = el("button", { type: "button", "aria-pressed": "false" });
  element.addEventListener("click", () => onPick(card.id));
  return element;
}

/** Bring a card's element up to date. */
export function update(element, card) {
  const words = JSON.stringify(card);
  if (element.drawn === words) return;
  element.drawn = words;
  const reserved = card.kind !== "app";
  element.className = `card ${reserved ? "reserved" : ""} ${WORLDS.includes(card.kind) ? "world-card" : ""}`;
  element.setAttribute("aria-label", `${card.title} ${card.namespace}`);
  const subtitle = reserved ? "reserved identity" : [card.namespace, card.workload !== card.title && card.workload].filter(Boolean).join(" · ");
  put(
    element,
    el("span", { class: "top" },
      el("span", { class: "badge", "aria-hidden": "true" }, badge(card)),
      el("span", { class: "names" }, el("strong", { title: card.title }, card.title), el("small", {}, subtitle))),
    ...card.ports.map(({ port, protocol }) =>
      el("span", { class: "port" }, el("b", {}, port ? `${port} · ${protocol}` : protocol))),
  );
}

function badge(card) {
  if (card.kind === "app") return card.title.charAt(0).toUpperCase();
  const lines = ICONS[WORLDS.includes(card.kind) ? "world" : card.kind] ?? ICONS.other;
  return svg("svg", { viewBox: "0 0 24 24" }, ...lines.map((d) => svg("path", { d })));
}
