// What the bar and the notice say of the cluster: how much flows, which nodes are there.

import { byId, el, put } from "./dom.js";

export class Status {
  constructor() {
    this.last = null;
  }

  /** A status of the stream. */
  show(status) {
    this.last = status;
    const nodes = `${status.connected}/${status.total} nodes`;
    const rate = status.rate < 10 ? status.rate.toFixed(1) : Math.round(status.rate).toLocaleString("en");
    this.pulse(status.unavailable.length || !status.total ? "warn" : "good", `${rate} flows/s · ${nodes}`);
    this.notice(words(status), !status.reachable);
  }

  /** The connection to the page's own server is gone. */
  lost() {
    this.pulse("bad", "not connected");
    this.notice("The connection to Hubble's server is lost; trying again.", true);
  }

  /** What the empty map says: why, and what to do about it. */
  emptiness(namespace, filtered, unreadable) {
    if (unreadable) return ["A filter cannot be read", "Take it away with its ×, or with Backspace in the filter box."];
    const place = namespace ? `in namespace ${namespace}` : "in any namespace";
    if (filtered) return ["No flow matches", `Nothing ${place} has matched the filters yet. Take some of them away, or wait.`];
    if (this.last && !this.last.connected) return ["No node is connected", "Flows appear as soon as the agent of a node answers."];
    return ["Nothing flows yet", `No connection ${place} so far. Open one, for example with curl to a service's address, and it appears here.`];
  }

  namespaces(current) {
    const names = new Set(this.last?.namespaces ?? []);
    if (current) names.add(current);
    return [...names].sort();
  }

  pulse(kind, text) {
    const pulse = byId("pulse");
    pulse.className = `pulse ${kind}`;
    pulse.lastElementChild.textContent = text;
  }

  notice(text, bad) {
    const notice = byId("notice");
    if (notice.textContent !== text) notice.textContent = text;
    notice.hidden = !text;
    notice.classList.toggle("bad", bad);
  }
}

/** Fill the namespace selector, when it has changed. */
export function fillNamespaces(names, current) {
  const select = byId("namespace");
  const wanted = ["", ...names].join("\n");
  if (select.dataset.names !== wanted) {
    select.dataset.names = wanted;
    put(select, el("option", { value: "" }, "All namespaces"), ...names.map((name) => el("option", { value: name }, name)));
  }
  select.value = current;
}

function words(status) {
  if (!status.reachable) return "No node answers: what is shown is what was seen before.";
  const gone = status.unavailable;
  if (gone.length === 1) return `Node ${gone[0]} is gone: its flows are missing.`;
  if (gone.length) return `${gone.length} nodes are gone, their flows are missing: ${gone.join(", ")}.`;
  return "";
}
