// Links as curves: from the side of a card that faces the other into the port that it asks.

import { svg } from "./dom.js";
import { CARD_TOP, PORT_HEIGHT } from "./layout.js";

const GAP = 8;
const LANE = 15; // half of what is left free between two cards of a column
const SPREAD = 7;
const BOW = 70;
const TIMES = Array.from({ length: 31 }, (_, index) => (index + 1) / 32);

export const keyOf = (link) => `${link.source}\n${link.destination}\n${link.port}\n${link.protocol}`;

/** The path from the source's box to the row of the destination's port, around the other `boxes`. */
export function path(link, source, destination, ports, boxes) {
  const row = ports.findIndex((each) => each.port === link.port && each.protocol === link.protocol);
  const leftwards = destination.x + destination.width < source.x;
  const rightwards = source.x + source.width < destination.x;
  const start = { x: leftwards ? source.x : source.x + source.width, y: source.y + CARD_TOP / 2 };
  const end = {
    x: rightwards ? destination.x - GAP : destination.x + destination.width + GAP,
    y: destination.y + CARD_TOP + PORT_HEIGHT * (row + 0.5),
  };
  if (link.source === link.destination) return loop(start, { ...end, x: source.x - GAP }, source);
  if (!leftwards && !rightwards) return written([bow(start, end)]);
  const others = boxes.filter((box) => box !== source && box !== destination);
  return written(route(start, end, others));
}

/** The curves from one point to another, around the boxes that the straight way would cross. */
function route(start, end, boxes) {
  const direct = curve(start, end);
  const hit = boxes.filter((box) => crosses(direct, box)).sort((a, b) => a.x - b.x);
  const stops = hit.flatMap((box) => around(box, direct));
  if (end.x < start.x) stops.reverse();
  return [...stops, end].map((stop, index) => curve(stops[index - 1] ?? start, stop));
}

const written = (curves) => `M${curves[0][0].x} ${curves[0][0].y}`
  + curves.map(([, b, c, d]) => ` C${b.x} ${b.y} ${c.x} ${c.y} ${d.x} ${d.y}`).join("");

/** Four points of a Bézier curve that leaves and arrives horizontally. */
function curve(from, to) {
  const far = Math.abs(to.x - from.x);
  const reach = Math.max(Math.min(50, far), far * 0.45) * Math.sign(to.x - from.x);
  return [from, { x: from.x + reach, y: from.y }, { x: to.x - reach, y: to.y }, to];
}

/** The same for cards that stand one above the other: out and in on the right. */
function bow(from, to) {
  const x = Math.max(from.x, to.x) + BOW;
  return [from, { x, y: from.y }, { x, y: to.y }, to];
}

const crosses = (line, box) => TIMES.some((t) => {
  const { x, y } = at(line, t);
  return x > box.x && x < box.x + box.width && y > box.y - GAP && y < box.y + box.height + GAP;
});

function at([a, b, c, d], t) {
  const u = 1 - t;
  const weigh = (axis) => u ** 3 * a[axis] + 3 * u * u * t * b[axis] + 3 * u * t * t * c[axis] + t ** 3 * d[axis];
  return { x: weigh("x"), y: weigh("y") };
}

/** Two points above or below a box, on the side that is nearer to the line that it is in the way of.
    Lines that come from further above pass a little higher, so that each can be followed. */
function around(box, line) {
  const middle = at(line, 0.5).y;
  const [above, below] = [box.y - LANE, box.y + box.height + LANE];
  const lane = Math.abs(above - middle) < Math.abs(below - middle) ? above : below;
  const y = lane + Math.max(-SPREAD, Math.min(SPREAD, (line[0].y - middle) / 10));
  return [{ x: box.x - LANE, y }, { x: box.x + box.width + LANE, y }];
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
