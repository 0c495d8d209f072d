// Hubble's page: the choices, the stream they ask for, and where its news go.

import { byId } from "./dom.js";
import { FilterBox } from "./filters.js";
import { ServiceMap } from "./map.js";
import { setUpMenus, setUpSplitter, setUpTheme } from "./menus.js";
import { Panel } from "./panel.js";
import { address, read, streamQuery } from "./state.js";
import { fillNamespaces, Status } from "./status.js";
import { Stream } from "./stream.js";
import { Table } from "./table.js";

let state = read(location);
let query;

const status = new Status();
const filters = new FilterBox((entries) => choose({ filters: entries }));
const panel = new Panel(closed, (entry) => filters.add(entry));
const map = new ServiceMap((card) => (card ? panel.card(card) : panel.close()));
const table = new Table((row) => openFlow(row.id), (columns) => choose({ columns }));
const stream = new Stream({
  status(news) {
    status.show(news);
    fillNamespaces(status.namespaces(state.namespace), state.namespace);
    showEmptiness();
  },
  map(picture) {
    map.show(picture, state.namespace);
    showEmptiness();
  },
  flows: (news) => table.add(news),
  problem(text) {
    filters.problem(text);
    showEmptiness();
  },
  lost: () => status.lost(),
});

/** Take up some choices: into the address, the controls and the stream. */
function choose(changes, { push = true } = {}) {
  state = { ...state, ...changes };
  history[push ? "pushState" : "replaceState"](null, "", address(state));
  apply();
}

function apply() {
  document.title = state.namespace ? `${state.namespace} · Hubble` : "Hubble";
  fillNamespaces(status.namespaces(state.namespace), state.namespace);
  byId("verdict").value = state.verdict;
  filters.set(state.filters);
  for (const box of byId("hide").querySelectorAll("input")) box.checked = state.hide.includes(box.value);
  table.setColumns(state.columns);
  table.pick(state.flow);
  if (streamQuery(state) === query) return;
  query = streamQuery(state);
  filters.problem();
  map.clear();
  table.clear();
  stream.open(query);
}

async function openFlow(id) {
  map.release();
  choose({ flow: id }, { push: false });
  const answer = await fetch(`/api/flows/${encodeURIComponent(id)}`);
  if (state.flow === id) panel.flow(await answer.json());
}

function closed() {
  map.release();
  if (state.flow) choose({ flow: "" }, { push: false });
}

function showEmptiness() {
  const empty = byId("empty");
  empty.hidden = map.picture.cards.length > 0;
  const filtered = state.filters.length || state.verdict || state.hide.length;
  const [head, text] = status.emptiness(state.namespace, filtered, filters.unreadable);
  if (empty.firstElementChild.textContent !== head) empty.firstElementChild.textContent = head;
  if (empty.lastElementChild.textContent !== text) empty.lastElementChild.textContent = text;
}

function key(event) {
  if (event.key === "Escape") panel.close();
  if (event.target.closest("input, select, tr, .splitter, details")) return;
  if (event.key === "/") byId("filter").focus();
  else if (!map.viewport.key(event.key)) return;
  event.preventDefault();
}

byId("namespace").addEventListener("change", (event) => choose({ namespace: event.target.value }));
byId("verdict").addEventListener("change", (event) => choose({ verdict: event.target.value }));
byId("hide").addEventListener("change", () => {
  choose({ hide: [...byId("hide").querySelectorAll("input:checked")].map((box) => box.value) });
});
addEventListener("popstate", () => {
  state = read(location);
  apply();
});
document.addEventListener("keydown", key);

setUpTheme();
setUpMenus();
setUpSplitter();
apply();
if (state.flow) openFlow(state.flow);
