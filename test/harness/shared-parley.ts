/**
 * One Parley for all test files that can share it, which saves each of them a start: see shared-servers.ts for its settings. Its
 * users and rooms are those of all these files: a test makes its own and does not look at all there are. A file that changes what
 * holds for the whole deployment (rules, learned words, admins, settings) starts its own.
 */
import { inject } from 'vitest';
import { type Host, hostOf } from './shared-host.ts';
import type { KnownParley } from './shared-servers.ts';

export interface SharedParley {
  /** Of REST and the page; also its public URL. */
  readonly url: string;
  readonly database: { readonly url: string };
  /** The login provider `acme`, where any name logs in; its tokens as a host application are signed with the secret of `macHost`. */
  readonly oidc: { readonly issuer: string };
  /** A host application whose tokens it takes. */
  readonly host: Host;
}

/** The first file that asks waits for the start. */
export async function useSharedParley(): Promise<SharedParley> {
  const answer = await fetch(`${inject('sharedServersUrl')}/parley`);
  if (!answer.ok) throw new Error(`the shared Parley did not start: ${await answer.text()}`);
  const { host, ...known } = (await answer.json()) as KnownParley;
  return { ...known, host: hostOf(host) };
}
