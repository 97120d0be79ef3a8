/** Loses connections of clients in this process, as a network does: they resume by themselves. */
const sockets = new Set<WebSocket>();
const Original = globalThis.WebSocket;

globalThis.WebSocket = class extends Original {
  constructor(...options: ConstructorParameters<typeof Original>) {
    super(...options);
    sockets.add(this);
    this.addEventListener('close', () => sockets.delete(this));
  }
};

/** Closes one of the open connections. @param random 0 ≤ x < 1 */
export function loseConnection(random: () => number): void {
  const open = [...sockets].filter(({ readyState }) => readyState === Original.OPEN);
  open[Math.floor(random() * open.length)]?.close(3000);
}
