// Elements from plain values. Text goes in as text nodes only: nothing from a flow is ever markup.

const SVG = "http://www.w3.org/2000/svg";

/** An element with properties and children; strings become text nodes. */
export function el(name, properties = {}, ...children) {
  return fill(document.createElement(name), properties, children);
}

/** The same in SVG. */
export function svg(name, properties = {}, ...children) {
  return fill(document.createElementNS(SVG, name), properties, children);
}

/** Replace an element's children. */
export function put(element, ...children) {
  element.replaceChildren(...children);
}

export const byId = (id) => document.getElementById(id);

function fill(element, properties, children) {
  for (const [key, value] of Object.entries(properties)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== undefined && value !== null) element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}
