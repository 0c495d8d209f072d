// One event stream from the server; a new one whenever the choices change.

import { connect } from "./connection.js";

export class Stream {
  /** `handlers`: status, map, flows, problem, lost (the connection), each a function. */
  constructor(handlers) {
    this.handlers = handlers;
    this.connection = globalThis.earlyConnection;
  }

  /** Hear what belongs to a query; the connection that the page's head has made may be it. */
  open(query) {
    const connection = this.connection?.query === query ? this.connection : connect(query);
    if (connection !== this.connection) this.connection?.close();
    this.connection = connection;
    connection.deliver((event) => this.hear(connection, event));
  }

  hear(connection, { type, data }) {
    if (connection !== this.connection) return;
    if (type === "error") {
      this.handlers.lost();
      return;
    }
    const news = JSON.parse(data);
    this.handlers[type](type === "problem" ? news.problem : news);
  }
}
