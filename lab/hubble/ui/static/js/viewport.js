// Moving and scaling the map: drag, wheel, buttons, arrow keys. Fits itself until the user moves it.

import { byId } from "./dom.js";

const LEAST = 0.25;
const MOST = 1.6;
const MARGIN = 36;
const STEP = 60;

export class Viewport {
  constructor() {
    this.frame = byId("map");
    this.world = byId("world");
    this.place = { x: 0, y: 0, scale: 1 };
    this.bounds = null;
    this.moved = false;
    this.frame.addEventListener("pointerdown", (event) => this.drag(event));
    this.frame.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    byId("zoom-in").addEventListener("click", () => this.zoom(1.25));
    byId("zoom-out").addEventListener("click", () => this.zoom(0.8));
    byId("zoom-fit").addEventListener("click", () => this.fit());
    new ResizeObserver(() => this.moved || this.fit()).observe(this.frame);
  }

  /** Say how large the drawing is; it is brought into view unless the user has moved the map. */
  setBounds(bounds) {
    const first = !this.bounds;
    this.bounds = bounds;
    if (!this.moved) this.fit(!first);
  }

  fit(settling = true) {
    this.moved = false;
    if (!this.bounds) return;
    const { clientWidth: width, clientHeight: height } = this.frame;
    const { x, y, width: wide, height: high } = this.bounds;
    const scale = Math.max(LEAST, Math.min(1, (width - 2 * MARGIN) / wide, (height - 2 * MARGIN) / high));
    this.go({ scale, x: (width - wide * scale) / 2 - x * scale, y: (height - high * scale) / 2 - y * scale }, settling);
  }

  zoom(factor, at = { x: this.frame.clientWidth / 2, y: this.frame.clientHeight / 2 }) {
    const scale = Math.max(LEAST, Math.min(MOST, this.place.scale * factor));
    const share = scale / this.place.scale;
    this.moved = true;
    this.go({ scale, x: at.x - (at.x - this.place.x) * share, y: at.y - (at.y - this.place.y) * share });
  }

  /** Pan by one of the arrow keys; false for any other key. */
  key(name) {
    const steps = { ArrowLeft: [STEP, 0], ArrowRight: [-STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] };
    const step = steps[name];
    if (!step) return false;
    this.moved = true;
    this.go({ ...this.place, x: this.place.x + step[0], y: this.place.y + step[1] }, true);
    return true;
  }

  go(place, settling = false) {
    this.place = place;
    this.world.classList.toggle("settling", settling);
    this.world.style.transform = `translate(${place.x}px, ${place.y}px) scale(${place.scale})`;
    this.frame.style.backgroundPosition = `${place.x}px ${place.y}px`;
  }

  drag(down) {
    if (down.button !== 0 || down.target.closest("button, .zoom")) return;
    const from = { ...this.place };
    const move = (event) => {
      this.moved = true;
      this.frame.classList.add("dragging");
      this.go({ ...from, x: from.x + event.clientX - down.clientX, y: from.y + event.clientY - down.clientY });
    };
    const up = () => {
      this.frame.classList.remove("dragging");
      this.frame.removeEventListener("pointermove", move);
    };
    this.frame.setPointerCapture(down.pointerId);
    this.frame.addEventListener("pointermove", move);
    this.frame.addEventListener("pointerup", up, { once: true });
    this.frame.addEventListener("pointercancel", up, { once: true });
  }

  wheel(event) {
    event.preventDefault();
    const { left, top } = this.frame.getBoundingClientRect();
    this.zoom(Math.exp(-event.deltaY * 0.0015), { x: event.clientX - left, y: event.clientY - top });
  }
}
