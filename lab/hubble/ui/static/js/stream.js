// One event stream from the server; a new one whenever the choices change.

export class Stream {
  /** `handlers`: status, map, flows, problem, lost (the connection), each a function. */
  constructor(handlers) {
    this.handlers = handlers;
    this.source = null;
  }

  open(query) {
    this.close();
    const source = new EventSource(`/api/stream?${query}`);
    for (const name of ["status", "map", "flows"]) {
      source.addEventListener(name, (event) => this.handlers[name](JSON.parse(event.data)));
    }
    source.addEventListener("problem", (event) => {
      this.handlers.problem(JSON.parse(event.data).problem);
      source.close(); // it would only say the same again
    });
    source.onerror = () => {
      if (source === this.source) this.handlers.lost();
    };
    this.source = source;
  }

  close() {
    this.source?.close();
    this.source = null;
  }
}
