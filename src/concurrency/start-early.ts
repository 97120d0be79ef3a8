/**
 * Starts work whose outcome is awaited later, after something else. If it fails before that, the failure is kept for the
 * `await`; without this it would be an unhandled rejection, which ends the process.
 *
 * @returns the promise of `work`; whoever awaits it sees its failure
 */
export function startEarly<Value>(work: () => Promise<Value>): Promise<Value> {
  const promise = work();
  // The handler has nothing to do: the one who awaits `promise` handles the failure.
  promise.catch(() => {});
  return promise;
}
