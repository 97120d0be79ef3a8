/**
 * Chat and processing instances with a Redis of their own, borrowed from the run for the time of a test file: see
 * lent-fleets.ts for the kinds of them. A file makes its own users and rooms, and does not look at all there are.
 */
import { inject } from 'vitest';
import type { FleetKind, LentFleet, PartName } from './lent-fleets.ts';
import { type ParleyProcess, startParley } from './parley-process.ts';
import { type Host, hostOf } from './shared-host.ts';

/** A process that the next borrower finds running again. */
export interface BorrowedProcess {
  /** `kill -9`, and the end of it. */
  readonly kill: () => Promise<void>;
  /** Starts it again at the same address. */
  readonly start: () => Promise<void>;
}

export interface BorrowedFleet {
  readonly database: { readonly url: string };
  readonly chats: readonly (BorrowedProcess & { readonly url: string })[];
  readonly processings: readonly (BorrowedProcess & { readonly processingUrl: string })[];
  readonly redis: BorrowedProcess & { readonly url: string; readonly prefix: string };
  /** The host application whose tokens it takes. */
  readonly host: Host;
  /** Starts one more chat instance, which the file stops itself. */
  readonly startChat: () => Promise<ParleyProcess>;
  /** Gives it back. */
  readonly end: () => Promise<void>;
}

async function ask(method: string, path: string): Promise<unknown> {
  const answer = await fetch(inject('sharedServersUrl') + path, { method });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${text}`);
  return text === '' ? undefined : JSON.parse(text);
}

/** Waits until one is free. */
export async function borrowFleet(kind: FleetKind = 'chat'): Promise<BorrowedFleet> {
  const lent = (await ask('POST', `/fleets/${kind}`)) as LentFleet;
  const part = (name: PartName): BorrowedProcess => ({
    kill: async () => void (await ask('POST', `/fleets/${lent.id}/${name}/kill`)),
    start: async () => void (await ask('POST', `/fleets/${lent.id}/${name}/start`)),
  });
  return {
    database: { url: lent.databaseUrl },
    chats: lent.chats.map(({ url }, index) => ({ url, ...part(`chat${index}`) })),
    processings: lent.processings.map(({ processingUrl }, index) => ({ processingUrl, ...part(`processing${index}`) })),
    redis: { ...lent.redis, ...part('redis') },
    host: hostOf(lent.host),
    startChat: () => startParley({ role: 'chat', settings: lent.settings }),
    end: async () => void (await ask('DELETE', `/fleets/${lent.id}`)),
  };
}
