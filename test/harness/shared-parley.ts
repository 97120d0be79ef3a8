/**
 * One Parley for all test files that need no settings of their own, which saves each of them a start. Its users and rooms are
 * those of all these files: a test makes its own and does not look at all there are. A file that changes what holds for
 * the whole deployment (rules, learned words, admins, settings) starts its own.
 */
import { inject } from 'vitest';

export interface SharedParley {
  /** Of REST and the page; also its public URL. */
  readonly url: string;
  readonly database: { readonly url: string };
}

/** The first file that asks waits for the start. */
export async function useSharedParley(): Promise<SharedParley> {
  const answer = await fetch(inject('sharedParleyUrl'));
  if (!answer.ok) throw new Error(`the shared Parley did not start: ${await answer.text()}`);
  return (await answer.json()) as SharedParley;
}
