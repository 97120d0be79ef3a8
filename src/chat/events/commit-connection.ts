/** One connection to Postgres that appends batches. It is replaced when a statement is not answered in time. */
import type { Logger } from 'pino';
import type { Sql } from '../../database/connect.ts';
import { Failure } from '../../errors.ts';

export interface CommitConnectionOptions {
  /** A client with one connection. */
  readonly open: () => Sql;
  readonly timeoutMs: number;
  readonly logger: Logger;
}

export class CommitConnection {
  readonly #options: CommitConnectionOptions;
  #client: Sql;

  constructor(options: CommitConnectionOptions) {
    this.#options = options;
    this.#client = options.open();
  }

  /** @throws Failure `outcome_unknown` when the answer is late; what the statement throws */
  run<Value>(statement: (sql: Sql) => Promise<Value>): Promise<Value> {
    return this.#answerInTime(this.#client, statement(this.#client));
  }

  async #answerInTime<Value>(client: Sql, answer: Promise<Value>): Promise<Value> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      this.#replace(client);
      late.reject(new Failure('outcome_unknown', 'the database did not answer in time', { retryAfterMs: 1000 }));
    }, this.#options.timeoutMs);
    try {
      return await Promise.race([answer, late.promise]);
    } finally {
      clearTimeout(timer);
      answer.catch((error: unknown) => this.#options.logger.trace({ error }, 'late answer on a commit connection'));
    }
  }

  /** The late answer would be taken for the next statement's, so a silent connection is never used again. */
  #replace(silent: Sql): void {
    if (this.#client !== silent) return;
    this.#client = this.#options.open();
    silent
      .end({ timeout: 0 })
      .catch((error: unknown) => this.#options.logger.debug({ error }, 'commit connection ended'));
  }

  async end(): Promise<void> {
    await this.#client.end({ timeout: 5 });
  }
}
