/**
 * A job runner in a process of its own, to be killed; started with `--import driver-fix.ts`. Settings come from the environment; says
 * "running" and waits.
 */
import pino from 'pino';
import { Registry } from 'prom-client';
import { connectDatabase } from '../../src/database/connect.ts';
import { startJobRunner } from '../../src/jobs/job-runner.ts';
import { createOutages } from '../../src/logger/outages.ts';
import { issueToken, jobSettings } from './mail-town.ts';

const databaseUrl = process.env.DATABASE_URL ?? '';
const { db } = connectDatabase({
  url: databaseUrl,
  poolSize: 3,
  statementTimeout: 5000,
  connectTimeout: 5000,
  name: 'jobs',
});
const { DATABASE_URL: _url, PATH: _path, ...settings } = process.env;
const logger = pino({ level: 'warn' });
startJobRunner({
  db,
  databaseUrl,
  issueToken,
  logger,
  outages: createOutages(logger, 60_000),
  registry: new Registry(),
  settings: jobSettings(settings as Record<string, string>),
});
process.stdout.write('running\n');
