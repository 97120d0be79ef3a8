/**
 * What each feature that stores personal data provides: how to erase it and how to export it.
 * `roles/wiring/privacy-wiring.ts` has the list; test/user/erasure.test.ts finds what a feature forgot.
 */
import type { Transaction } from './connect.ts';

/** What identifies a person in texts, as of the erasure. It is stored nowhere but in the receipt that they get. */
export interface ErasedPerson {
  readonly userId: string;
  readonly username: string;
  readonly displayName: string;
  readonly email: string | null;
  readonly avatarUrl: string | null;
  readonly identities: readonly { readonly issuer: string; readonly subject: string }[];
}

/** Yields the rows of one kind, page by page, as they are written to the archive. */
export type ExportRows = (userId: string) => AsyncIterable<readonly object[]>;

export interface PersonalData {
  /** For the log. */
  readonly name: string;
  /** Runs in the transaction that ends the account: deletes what belongs to the account alone and is found by an index. */
  readonly cut?: (tx: Transaction, person: ErasedPerson) => Promise<void>;
  /** Runs afterwards, in short steps. It starts again after a crash, so it must bear running twice. */
  readonly sweep?: (userId: string) => Promise<void>;
  /** By the file's name in the archive. */
  readonly exports: Readonly<Record<string, ExportRows>>;
}

/** One page, for data that a bound keeps small. */
export function onePage(read: (userId: string) => Promise<readonly object[]>): ExportRows {
  return async function* page(userId) {
    yield await read(userId);
  };
}
