// The side panel: all that is known of a flow or of a card.

import { byId, el, put } from "./dom.js";

export class Panel {
  /** `onClose()` when it closes; `onFilter(entry)` when the user asks for a filter. */
  constructor(onClose, onFilter) {
    this.onClose = onClose;
    this.onFilter = onFilter;
    byId("panel-close").addEventListener("click", () => this.close());
  }

  get open() {
    return !byId("panel").hidden;
  }

  close() {
    if (!this.open) return;
    const within = byId("panel").contains(document.activeElement);
    byId("panel").hidden = true;
    if (within) this.opener.focus();
    this.onClose();
  }

  card(card) {
    const from = card.kind === "app" ? `identity=${card.identity}` : `label reserved:${card.kind}`;
    this.show(card.title, [
      section("Identity", list([
        ["Number", card.identity],
        ["Namespace", card.namespace],
        ["Workload", card.workload],
      ])),
      card.ports.length && section("Asked on", list(card.ports.map(({ port, protocol }) => [protocol, port || "any"]))),
      section("Labels", this.tags(card.labels)),
      el("div", { class: "actions" }, this.action("Show only its flows", from), this.action("Hide its flows", `!${from}`)),
    ]);
  }

  /** A flow as the server's JSON; `problem` instead when it is not kept any more. */
  flow(flow) {
    if (flow.problem) {
      this.show("Flow", [el("p", {}, `${flow.problem}.`)]);
      return;
    }
    const layer4 = Object.entries(flow.l4 ?? {})[0] ?? ["", {}];
    this.show(`${nameOf(flow.source, flow.IP?.source)} → ${nameOf(flow.destination, flow.IP?.destination)}`, [
      section("What", list([
        ["Time", flow.time?.replace("T", " ").replace(/(\.\d{6})\d*Z$/, "$1Z").replace("Z", " UTC")],
        ["Summary", flow.Summary],
        ["Verdict", flow.verdict],
        ["Drop reason", flow.drop_reason_desc],
        ["Event", event(flow)],
        ["Direction", flow.traffic_direction],
        ["Reply", flow.is_reply === undefined ? "unknown" : flow.is_reply ? "yes" : "no"],
        ["Node", flow.node_name],
        ["Interface", flow.interface?.name],
        ["Protocol", layer4[0]],
        ["ICMP", "type" in layer4[1] || layer4[0].startsWith("ICMP") ? `type ${layer4[1].type ?? 0}, code ${layer4[1].code ?? 0}` : ""],
        ["Id", flow.uuid],
      ])),
      this.end("Source", flow.source, flow.IP?.source, layer4[1].source_port, flow.ethernet?.source, flow.source_service),
      this.end("Destination", flow.destination, flow.IP?.destination, layer4[1].destination_port, flow.ethernet?.destination, flow.destination_service),
    ]);
  }

  end(title, endpoint = {}, address, port, mac, service) {
    return section(title, list([
      ["Pod", endpoint.pod_name && `${endpoint.namespace}/${endpoint.pod_name}`],
      ["Service", service?.name && `${service.namespace}/${service.name}`],
      ["Workload", (endpoint.workloads ?? []).map((each) => `${each.kind}/${each.name}`).join(", ")],
      ["Address", address],
      ["Port", port],
      ["MAC", mac],
      ["Identity", endpoint.identity],
    ]), this.tags(endpoint.labels ?? []));
  }

  tags(labels) {
    return el("ul", { class: "tags" }, ...labels.map((label) =>
      el("li", {}, el("button", { type: "button", title: `Filter by ${label}`, onclick: () => this.onFilter(`label ${label}`) }, label))));
  }

  action(text, entry) {
    return el("button", { type: "button", onclick: () => this.onFilter(entry) }, text);
  }

  show(title, parts) {
    if (!this.open) this.opener = document.activeElement;
    byId("panel-title").textContent = byId("panel-title").title = title;
    put(byId("panel-body"), ...parts.filter(Boolean));
    byId("panel").hidden = false;
  }
}

/** The pod, else what its reserved label says, else the address. */
function nameOf(endpoint = {}, address = "unknown") {
  const reserved = endpoint.labels?.find((label) => label.startsWith("reserved:"));
  return endpoint.pod_name || reserved?.slice("reserved:".length) || address;
}

function event(flow) {
  if (flow.trace_observation_point) return flow.trace_observation_point.toLowerCase().replaceAll("_", "-");
  return { 1: "drop", 5: "policy-verdict", 3: "capture" }[flow.event_type?.type] ?? "";
}

const section = (title, ...content) => el("section", {}, el("h3", {}, title), ...content);

function list(pairs) {
  const known = pairs.filter(([, value]) => value !== undefined && value !== null && value !== "" && value !== false);
  return el("dl", {}, ...known.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, String(value))]));
}
