/** The jobs of the processing role: who mails, with whose tokens. */
import { createOneTimeTokens } from '../auth/one-time-tokens.ts';
import type { Database } from '../database/connect.ts';
import { type JobRunner, startJobRunner } from '../jobs/job-runner.ts';
import type { RoleContext } from './role.ts';

export interface JobsOptions extends RoleContext {
  readonly databaseUrl: string;
  readonly db: Database;
}

export function startJobs({ config, logger, metrics, databaseUrl, db }: JobsOptions): JobRunner {
  return startJobRunner({
    db,
    databaseUrl,
    issueToken: createOneTimeTokens(db).issue,
    logger: logger.child({ part: 'jobs' }),
    registry: metrics.registry,
    settings: {
      ...config,
      publicUrl: config.publicUrl ?? `http://localhost:${config.http.port}`,
      tokenLifetimeMs: config.auth.oneTimeTokenLifetime,
      statementTimeoutMs: config.database.statementTimeout,
      connectTimeoutMs: config.database.connectTimeout,
    },
  });
}
