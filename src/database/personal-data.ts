/**
 * What each feature that keeps something of a person provides: how it is taken away, and how it is handed out.
 * `roles/wiring/privacy-wiring.ts` has the list; test/user/erasure.test.ts finds what a feature forgot.
 */
import type { Transaction } from './connect.ts';

/** What tells a person apart in texts, as of the erasure. Kept nowhere but in the receipt that they get. */
export interface ErasedPerson {
  readonly userId: string;
  readonly username: string;
  readonly displayName: string;
  readonly email: string | null;
  readonly avatarUrl: string | null;
  readonly identities: readonly { readonly issuer: string; readonly subject: string }[];
}

/** Rows of one kind, a page at a time, as they are put into the archive. */
export type ExportRows = (userId: string) => AsyncIterable<readonly object[]>;

export interface PersonalData {
  /** For the log. */
  readonly name: string;
  /** In the one transaction that ends the account: what belongs to it alone, found by an index. */
  readonly cut?: (tx: Transaction, person: ErasedPerson) => Promise<void>;
  /** Afterwards, in as many short steps as it takes: begun again after a crash, so it bears being repeated. */
  readonly sweep?: (userId: string) => Promise<void>;
  /** By the file's name in the archive. */
  readonly exports: Readonly<Record<string, ExportRows>>;
}

/** One page: for what a bound keeps small. */
export function onePage(read: (userId: string) => Promise<readonly object[]>): ExportRows {
  return async function* page(userId) {
    yield await read(userId);
  };
}
