import { ParleyError } from './parley-error.ts';

/** Leaves work to itself. It tells by its own state what a server refused; anything else is a bug, and is reported as one. */
export function leave(work: Promise<unknown>): void {
  work.catch((error: unknown) => {
    if (error instanceof ParleyError) return;
    if (typeof reportError === 'function') reportError(error);
    else console.error(error);
  });
}
