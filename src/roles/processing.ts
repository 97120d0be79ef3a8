/** The processing role: the RPC services, the engine behind them, and the jobs. */

import { Counter } from 'prom-client';
import { createOneTimeTokens } from '../auth/credentials/one-time-tokens.ts';
import { startUnreadCheck } from '../chat/reconcile/unread-check.ts';
import { connectDatabase, connectionLimits, connectSql } from '../database/connect.ts';
import { createDatabaseProbe, databaseOutage } from '../database/database-probe.ts';
import { startJobRunner } from '../jobs/job-runner.ts';
import { createMemoryTransport, type ProcessingTransport } from '../processing/client/processing-transport.ts';
import { startTextEngine } from '../processing/engine/text-engine.ts';
import type { TextEngine } from '../processing/engine/text-task.ts';
import { startProcessingServer } from '../processing/server/processing-server.ts';
import { createProcessingService, type ProcessingServiceOptions } from '../processing/server/processing-service.ts';
import { atMostUntil, type RoleContext, type RunningRole, stopInOrder } from './lifecycle/role-lifecycle.ts';

export interface ProcessingRoleOptions extends RoleContext {
  readonly databaseUrl: string;
}

export interface ProcessingRole extends RunningRole {
  readonly port: number;
  readonly engine: TextEngine;
  /** The same service for a chat role in this process. */
  readonly memoryTransport: ProcessingTransport;
}

const limits = { textMax: 65_536, batchItemsMax: 1000 };

export async function startProcessingRole(options: ProcessingRoleOptions): Promise<ProcessingRole> {
  const { config, logger, outages, metrics, databaseUrl } = options;
  const { statementTimeout, connectTimeout, pooling } = config.database;
  const connection = { ...connectionLimits(config), url: databaseUrl };
  const sql = connectSql({ ...connection, poolSize: 3, name: 'processing' });
  const { db, close: closeDatabase } = connectDatabase({ ...connection, poolSize: 3, name: 'jobs' });
  const draining = new AbortController();
  const running = await startTextEngine({ sql, config, logger, registry: metrics.registry, teaches: true });
  const service: Omit<ProcessingServiceOptions, 'draining'> = {
    engine: running.engine,
    learn: running.learn,
    limits,
    callTimeoutMs: config.http.handlerTimeout,
    streamBatchesMax: 16,
  };
  const refusals = new Counter({
    name: 'parley_rpc_errors_total',
    help: 'Calls to the processing port that were refused or failed, by code',
    labelNames: ['code'],
    registers: [metrics.registry],
  });
  const cutOffs = new Counter({
    name: 'parley_rpc_connections_cut_off_total',
    help: 'HTTP/2 connections of the processing port closed for too many resets or control frames',
    labelNames: ['reason'],
    registers: [metrics.registry],
  });
  const probe = createDatabaseProbe(sql, config.database.acquireTimeout, databaseOutage(outages));
  const server = await startProcessingServer({
    settings: {
      host: config.processing.host,
      port: config.processing.port,
      token: config.processing.token,
      requestBytes: config.processing.requestBytes,
      headersTimeoutMs: config.http.headersTimeout,
      requestTimeoutMs: config.http.requestTimeout,
      connectionsMax: config.processing.connectionsMax,
      streamsMax: config.processing.streamsMax,
      pingEveryMs: config.processing.ping,
      session: {
        ...config.processing,
        onCutOff: (reason) => cutOffs.inc({ reason }),
      },
    },
    service,
    readiness: async () => {
      const database = await probe();
      const { threadsReady } = running.engine.stats();
      // Without Postgres the engine still gives verdicts; new rules and mails wait.
      return { ready: threadsReady > 0, dependencies: { database, engine: `${threadsReady} threads` } };
    },
    onRefused: (code) => refusals.inc({ code }),
    ...(config.metrics.port === 0 ? { metrics: metrics.page } : {}),
  });
  const jobs = startJobRunner({
    db,
    databaseUrl,
    issueToken: createOneTimeTokens(db).issue,
    logger,
    outages,
    registry: metrics.registry,
    settings: {
      ...config,
      publicUrl: config.publicUrl ?? `http://localhost:${config.http.port}`,
      tokenLifetimeMs: config.auth.oneTimeTokenLifetime,
      statementTimeoutMs: statementTimeout,
      connectTimeoutMs: connectTimeout,
      pooling,
    },
  });

  const unreadCheck = startUnreadCheck({ sql, registry: metrics.registry, logger, everyMs: config.jobs.unreadCheck });

  return {
    port: server.port,
    engine: running.engine,
    memoryTransport: createMemoryTransport(createProcessingService({ ...service, draining: draining.signal })),
    stop: async (deadlineMs) => {
      draining.abort();
      await stopInOrder(logger, [
        ['processing server', () => server.stop(Math.max(0, deadlineMs - 1000 - performance.now()))],
        ['unread check', unreadCheck.stop],
        ['jobs', () => atMostUntil(deadlineMs - 500, jobs.stop())],
        ['engine', running.stop],
        ['database', () => Promise.all([closeDatabase(), sql.end({ timeout: 2 })])],
      ]);
    },
  };
}
