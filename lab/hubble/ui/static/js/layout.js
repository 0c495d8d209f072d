// Where cards and plates stand. Every namespace that is looked at gets a plate, its cards in layers
// by dagre; who only asks from outside stands to the left of the plates, who is asked to the right.

import { graphlib, layout as arrange } from "../vendor/dagre.esm.js";

export const CARD_WIDTH = 230;
export const CARD_TOP = 58;
export const PORT_HEIGHT = 30;

const PADDING = 28;
const TITLE = 22;
const ASIDE = 130;
const GAP = 30;
const PLATE_GAP = 46;

export const heightOf = (card) => CARD_TOP + PORT_HEIGHT * card.ports.length;

/** {cards: id -> {x, y, width, height}, plates: [{name, x, y, width, height}]}; x, y: top left. */
export function layout({ cards, links }, namespace) {
  const placed = new Map();
  const plates = placePlates(cards, links, namespace, placed);
  const width = Math.max(0, ...plates.map((plate) => plate.width));
  const height = plates.length ? plates.at(-1).y + plates.at(-1).height : 0;
  const outside = cards.filter((card) => !placed.has(card.id));
  const asked = new Set(links.filter((link) => link.source !== link.destination).map((link) => link.destination));
  const asks = new Set(links.map((link) => link.source));
  const right = outside.filter((card) => asked.has(card.id) && !asks.has(card.id));
  const left = outside.filter((card) => !right.includes(card));
  const inside = new Map(placed);
  placeColumn(left, -ASIDE - CARD_WIDTH, height, links, inside, placed);
  placeColumn(right, width + (plates.length ? ASIDE : 0), height, links, inside, placed);
  return { cards: placed, plates };
}

/** Plates one below the other, by name; returns them and fills in the places of their cards. */
function placePlates(cards, links, namespace, placed) {
  const names = [...new Set(cards.map((card) => card.namespace).filter((name) => name && (!namespace || name === namespace)))];
  const plates = [];
  let top = 0;
  for (const name of names.sort()) {
    const members = cards.filter((card) => card.namespace === name);
    const size = placeLayers(members, links, { x: PADDING, y: top + PADDING + TITLE }, placed);
    const plate = { name, x: 0, y: top, width: size.width + 2 * PADDING, height: size.height + 2 * PADDING + TITLE };
    plates.push(plate);
    top += plate.height + PLATE_GAP;
  }
  return plates;
}

/** The cards of one plate, from the asking to the asked; returns the size they take. */
function placeLayers(members, links, origin, placed) {
  const graph = new graphlib.Graph();
  graph.setGraph({ rankdir: "LR", ranksep: 100, nodesep: GAP });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const card of members) graph.setNode(card.id, { width: CARD_WIDTH, height: heightOf(card) });
  for (const { source, destination } of links) {
    if (source !== destination && graph.hasNode(source) && graph.hasNode(destination)) graph.setEdge(source, destination);
  }
  arrange(graph);
  for (const card of members) {
    const { x, y, width, height } = graph.node(card.id);
    placed.set(card.id, { x: origin.x + x - width / 2, y: origin.y + y - height / 2, width, height });
  }
  const { width, height } = graph.graph();
  return { width, height };
}

/** A column of cards beside the plates, each near the cards it has to do with. */
function placeColumn(cards, x, height, links, inside, placed) {
  const wish = new Map(cards.map((card) => [card.id, wishFor(card, links, inside, height)]));
  const ordered = [...cards].sort((a, b) => wish.get(a.id) - wish.get(b.id) || (a.id < b.id ? -1 : 1));
  const tall = ordered.reduce((sum, card) => sum + heightOf(card) + GAP, -GAP);
  const middle = ordered.reduce((sum, card) => sum + wish.get(card.id), 0) / (ordered.length || 1);
  let y = middle - tall / 2;
  for (const card of ordered) {
    placed.set(card.id, { x, y, width: CARD_WIDTH, height: heightOf(card) });
    y += heightOf(card) + GAP;
  }
}

/** The height at which a card's partners stand on average; the middle when it has none. */
function wishFor(card, links, inside, height) {
  const partners = links.flatMap(({ source, destination }) =>
    source === card.id ? [destination] : destination === card.id ? [source] : []);
  const heights = partners.filter((id) => inside.has(id)).map((id) => inside.get(id).y + inside.get(id).height / 2);
  return heights.length ? heights.reduce((sum, each) => sum + each, 0) / heights.length : height / 2;
}
