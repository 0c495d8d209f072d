// One connection to the server's stream. What it hears is kept until somebody takes it.

const EVENTS = ["status", "map", "flows", "problem", "error"];

/** `deliver(handler)`: call it with every event, first with those that came already. */
export function connect(query) {
  const source = new EventSource(`/api/stream?${query}`);
  const waiting = [];
  let take = (event) => waiting.push(event);
  for (const name of EVENTS) source.addEventListener(name, (event) => take(event));
  return {
    query,
    close: () => source.close(),
    deliver(handler) {
      take = handler;
      waiting.splice(0).forEach(handler);
    },
  };
}
