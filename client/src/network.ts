/** The parts of a browser's window that hint at the network; Node has none of them. */
interface Page {
  addEventListener?: (type: string, listener: () => void) => void;
  removeEventListener?: (type: string, listener: () => void) => void;
}

const events = ['online', 'offline', 'pageshow', 'focus'];

/** Calls the listener when the network may have come or gone, or the page was asleep. Returns the function that ends it. */
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Node's global object has neither function.
export function listenToNetwork(listener: () => void, page = globalThis as Page): () => void {
  for (const event of events) page.addEventListener?.(event, listener);
  return () => {
    for (const event of events) page.removeEventListener?.(event, listener);
  };
}
