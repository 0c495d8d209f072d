// Links as curves: from the side of a card that faces the other into the port that it asks.

import { svg } from "./dom.js";
import { CARD_TOP, PORT_HEIGHT } from "./layout.js";

const GAP = 8;

export const keyOf = (link) => `${link.source}\n${link.destination}\n${link.port}\n${link.protocol}`;

/** The path from the source's box to the row of the destination's port. */
export function path(link, source, destination, ports) {
  const row = ports.findIndex((each) => each.port === link.port && each.protocol === link.protocol);
  const leftwards = destination.x + destination.width < source.x;
  const end = {
    x: leftwards ? destination.x + destination.width + GAP : destination.x - GAP,
    y: destination.y + CARD_TOP + PORT_HEIGHT * (row + 0.5),
  };
  const start = { x: leftwards ? source.x : source.x + source.width, y: source.y + CARD_TOP / 2 };
  if (link.source === link.destination) return loop(start, end, source);
  const reach = Math.max(50, Math.abs(end.x - start.x) * 0.45) * (leftwards ? -1 : 1);
  return `M${start.x} ${start.y} C${start.x + reach} ${start.y} ${end.x - reach} ${end.y} ${end.x} ${end.y}`;
}

/** A card that asks itself: round below it. */
function loop(start, end, box) {
  const low = box.y + box.height + 34;
  return `M${start.x} ${start.y} C${start.x + 60} ${start.y} ${start.x + 50} ${low} ${start.x - 40} ${low}`
    + ` L${end.x + 30} ${low} C${end.x - 50} ${low} ${end.x - 50} ${end.y} ${end.x} ${end.y}`;
}

/** An empty link, to be filled by `update`. */
export function make() {
  const title = svg("title");
  return svg("g", { class: "link" }, svg("path", { class: "line" }), svg("path", { class: "hit" }, title));
}

/** Bring a link's element up to date. */
export function update(element, link, d, names) {
  const [line, hit] = element.children;
  if (line.getAttribute("d") !== d) {
    line.setAttribute("d", d);
    hit.setAttribute("d", d);
  }
  const width = (1.4 + Math.min(2.6, Math.log10(1 + link.flows) * 0.7)).toFixed(1);
  if (line.getAttribute("stroke-width") !== width) line.setAttribute("stroke-width", width);
  element.classList.toggle("dropped", link.dropped > 0 && link.dropped === link.flows);
  const counts = Object.entries(link.verdicts).map(([verdict, count]) => `${count.toLocaleString("en")} ${verdict}`);
  const port = link.port ? `${link.port} ` : "";
  const words = `${names[0]} → ${names[1]}  ${port}${link.protocol}: ${counts.join(", ")}`;
  const title = hit.firstElementChild;
  if (title.textContent !== words) title.textContent = words;
}
