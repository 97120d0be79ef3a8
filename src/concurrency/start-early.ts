/**
 * Starts work whose outcome is awaited later, after something else. If it fails before that, the `await` gets the failure. Without this
 * it would be an unhandled rejection, which ends the process.
 *
 * @returns the promise of `work`
 */
export function startEarly<Value>(work: () => Promise<Value>): Promise<Value> {
  const promise = work();
  // Nothing to do here: the `await` of `promise` handles the failure.
  promise.catch(() => {});
  return promise;
}
