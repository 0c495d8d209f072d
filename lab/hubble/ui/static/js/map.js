// The service map: keeps its elements and changes only what differs, so that nothing flickers.

import { byId, svg } from "./dom.js";
import { layout } from "./layout.js";
import * as cards from "./cards.js";
import * as links from "./links.js";
import { Viewport } from "./viewport.js";

export class ServiceMap {
  /** `onPick(card)` when the user picks a card, with undefined when the pick is taken back. */
  constructor(onPick) {
    this.viewport = new Viewport();
    this.onPick = onPick;
    this.picture = { cards: [], links: [] };
    this.cardElements = new Map();
    this.linkElements = new Map();
    this.shape = "";
    this.picked = "";
  }

  clear() {
    this.show({ cards: [], links: [] }, "");
    this.viewport.moved = false;
  }

  show(picture, namespace) {
    this.picture = picture;
    this.reconcile(byId("cards"), this.cardElements, picture.cards, (card) => card.id,
      (card) => cards.make(card, (id) => this.pick(id)));
    this.reconcile(byId("links"), this.linkElements, picture.links, links.keyOf, links.make);
    for (const card of picture.cards) cards.update(this.cardElements.get(card.id), card);
    this.arrange(namespace);
    this.drawLinks();
    this.mark();
  }

  /** Pick a card, or take the pick back when it is the one already. */
  pick(id) {
    this.picked = this.picked === id ? "" : id;
    this.mark();
    this.onPick(this.picture.cards.find((card) => card.id === this.picked));
  }

  /** Take the pick back without telling anybody. */
  release() {
    this.picked = "";
    this.mark();
  }

  /** A new layout when the set of cards, ports or links has changed; none for new numbers. */
  arrange(namespace) {
    const shape = JSON.stringify([namespace, this.picture.cards.map((card) => [card.id, card.ports]),
      this.picture.links.map(links.keyOf)]);
    if (shape === this.shape) return;
    this.shape = shape;
    this.places = layout(this.picture, namespace);
    for (const [id, box] of this.places.cards) {
      this.cardElements.get(id).style.transform = `translate(${box.x}px, ${box.y}px)`;
    }
    byId("plates").replaceChildren(...this.places.plates.map(plate));
    const boxes = [...this.places.cards.values(), ...this.places.plates];
    if (boxes.length) this.viewport.setBounds(bounds(boxes));
    this.paths = new Map(this.picture.links.map((link) => [links.keyOf(link), this.path(link)]));
  }

  path(link) {
    const { cards } = this.places;
    const asked = this.picture.cards.find((card) => card.id === link.destination);
    return links.path(link, cards.get(link.source), cards.get(link.destination), asked.ports, [...cards.values()]);
  }

  drawLinks() {
    const titles = new Map(this.picture.cards.map((card) => [card.id, card.title]));
    for (const link of this.picture.links) {
      const key = links.keyOf(link);
      links.update(this.linkElements.get(key), link, this.paths.get(key), [titles.get(link.source), titles.get(link.destination)]);
    }
  }

  /** Bring out the picked card, its links and whom they lead to. */
  mark() {
    const near = new Set([this.picked]);
    byId("map").classList.toggle("picked", this.cardElements.has(this.picked));
    for (const link of this.picture.links) {
      const on = [link.source, link.destination].includes(this.picked);
      if (on) near.add(link.source).add(link.destination);
      this.linkElements.get(links.keyOf(link)).classList.toggle("on", on);
    }
    for (const [id, element] of this.cardElements) {
      element.classList.toggle("on", near.has(id));
      const pressed = String(id === this.picked);
      if (element.getAttribute("aria-pressed") !== pressed) element.setAttribute("aria-pressed", pressed);
    }
  }

  /** Elements for exactly these things: new ones made, old ones taken away. */
  reconcile(parent, elements, things, key, make) {
    const wanted = new Set(things.map(key));
    for (const [id, element] of elements) {
      if (!wanted.has(id)) {
        element.remove();
        elements.delete(id);
      }
    }
    for (const thing of things) {
      if (elements.has(key(thing))) continue;
      const element = make(thing);
      elements.set(key(thing), element);
      parent.append(element);
    }
  }
}

function plate({ name, x, y, width, height }) {
  return svg("g", { class: "plate" },
    svg("rect", { x, y, width, height, rx: 18 }),
    svg("text", { x: x + 20, y: y + 27 }, name));
}

function bounds(boxes) {
  const x = Math.min(...boxes.map((box) => box.x));
  const y = Math.min(...boxes.map((box) => box.y));
  const right = Math.max(...boxes.map((box) => box.x + box.width));
  const bottom = Math.max(...boxes.map((box) => box.y + box.height));
  return { x, y, width: right - x, height: bottom - y };
}
