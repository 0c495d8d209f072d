// The columns that the flow table can show. Each fills a cell from a row of the stream.

import { el } from "./dom.js";
import { age } from "./age.js";

const text = (read, kind = "") => (row, cell) => {
  const value = String(read(row) ?? "");
  cell.textContent = value || "—";
  cell.title = value;
  if (kind) cell.className = kind;
};

const identity = (side) => (row, cell) => {
  const end = row[side];
  cell.append(end.title);
  if (end.namespace) cell.append(el("small", {}, end.namespace));
  cell.title = end.pod ? `${end.namespace}/${end.pod}` : end.address;
};

function verdict(row, cell) {
  cell.append(el("span", { class: `verdict ${row.verdict}` }, row.verdict));
  if (row.reason) cell.append(el("small", {}, row.reason));
  cell.title = row.reason;
}

function time(row, cell) {
  cell.className = "quiet";
  cell.dataset.time = row.time;
  cell.textContent = age(Date.now() - row.time);
  cell.title = new Date(row.time).toISOString();
}

/** `weight` is the column's share of the width, 1 unless it says otherwise. */
export const COLUMNS = [
  { id: "source", weight: 1.45, name: "Source Identity", fill: identity("source") },
  { id: "source-pod", weight: 1.5, name: "Source Pod", fill: text((row) => row.source.pod) },
  { id: "source-ip", name: "Source IP", fill: text((row) => row.source.address, "mono") },
  { id: "destination", weight: 1.45, name: "Destination Identity", fill: identity("destination") },
  { id: "destination-pod", weight: 1.5, name: "Destination Pod", fill: text((row) => row.destination.pod) },
  { id: "destination-ip", name: "Destination IP", fill: text((row) => row.destination.address, "mono") },
  { id: "port", weight: 1.25, name: "Destination Port", fill: text((row) => row.destination.port || "") },
  { id: "layer7", weight: 0.65, name: "L7 info", fill: text((row) => row.layer7, "quiet") },
  { id: "direction", name: "Traffic Direction", fill: text((row) => row.direction) },
  { id: "verdict", weight: 1.3, name: "Verdict", fill: verdict },
  { id: "flags", name: "TCP Flags", fill: text((row) => row.flags.join(" "), "mono") },
  { id: "type", name: "Event", fill: text((row) => row.type) },
  { id: "node", name: "Node", fill: text((row) => row.node) },
  { id: "auth", name: "Authentication", fill: text(() => "disabled", "quiet") },
  { id: "time", weight: 1.6, name: "Timestamp", fill: time },
];

/** The columns with these ids, in the table's own order. */
export const chosen = (ids) => COLUMNS.filter((column) => ids.includes(column.id));
