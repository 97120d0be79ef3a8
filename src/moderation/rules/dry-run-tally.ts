/** Counts what a rule matched. Keeps the first matches as examples, but only of messages that the caller may read. */
import type { ModerationLabel } from '../scope/label-schema.ts';
import type { DryRunMessage } from './dry-run-repository.ts';

export const examplesMax = 20;

export class DryRunTally {
  matched = 0;
  readonly authors = new Set<string>();
  readonly examples: { readonly message: DryRunMessage; readonly labels: ModerationLabel[] }[] = [];

  count(message: DryRunMessage, labels: ModerationLabel[]): void {
    this.matched += 1;
    this.authors.add(message.authorId);
    if (message.readable && this.examples.length < examplesMax) this.examples.push({ message, labels });
  }
}
