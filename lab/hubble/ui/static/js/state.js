// What the user has chosen, and its place in the address: /namespace?filter=..&verdict=..

export const DEFAULT_COLUMNS = ["source", "destination", "port", "layer7", "verdict", "time"];

const LISTS = ["filters", "hide", "columns"];
const NAMES = { filters: "filter", hide: "hide", columns: "column" };

/** The choices that an address stands for. */
export function read(location) {
  const query = new URLSearchParams(location.search);
  const columns = query.getAll("column");
  return {
    namespace: decoded(location.pathname.slice(1)),
    filters: query.getAll("filter"),
    verdict: query.get("verdict") ?? "",
    hide: query.getAll("hide"),
    columns: columns.length ? columns : DEFAULT_COLUMNS,
    flow: query.get("flow") ?? "",
  };
}

/** The address of some choices; what is as usual is left out. */
export function address(state) {
  const query = new URLSearchParams();
  for (const key of LISTS) {
    if (key === "columns" && same(state.columns, DEFAULT_COLUMNS)) continue;
    for (const value of state[key]) query.append(NAMES[key], value);
  }
  if (state.verdict) query.set("verdict", state.verdict);
  if (state.flow) query.set("flow", state.flow);
  const text = query.toString();
  return `/${encodeURIComponent(state.namespace)}${text ? `?${text}` : ""}`;
}

/** The query of the event stream for some choices. */
export function streamQuery(state) {
  const query = new URLSearchParams();
  if (state.namespace) query.set("namespace", state.namespace);
  if (state.verdict) query.set("verdict", state.verdict);
  for (const filter of state.filters) query.append("filter", filter);
  for (const name of state.hide) query.append("hide", name);
  return query.toString();
}

/** What somebody has typed need not be an encoding of anything: then it stands for itself. */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const same = (a, b) => a.length === b.length && a.every((value, index) => value === b[index]);
