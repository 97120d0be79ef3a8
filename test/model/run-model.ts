/**
 * `npm run test:model -- [--operations 50000] [--seed 1]`: random operations of six users on two devices each, through two
 * instances; for every device, the state built from events is compared with what REST answers. Ends with 1 on a difference.
 */
import '../../src/database/connection/driver-fix.ts';
import { execFile } from 'node:child_process';
import { parseArgs, promisify } from 'node:util';
import { migrate } from '../../src/database/migrate.ts';
import { startChaosDatabase } from '../chaos/chaos-database.ts';
import { startParley, wideLimits } from '../harness/parley-process.ts';
import { startRedisProcess } from '../harness/redis-process.ts';
import { runModel } from './model-run.ts';

const { values } = parseArgs({
  options: {
    operations: { type: 'string', default: '50000' },
    seed: { type: 'string', default: '1' },
    'check-every': { type: 'string', default: '1000' },
  },
});

/** Runs `admin reconcile`, and shows what it prints. @returns the drift */
async function reconcile(env: Readonly<Record<string, string>>): Promise<number> {
  const command = promisify(execFile)(process.execPath, ['src/main.ts', 'admin', 'reconcile'], {
    env: { ...process.env, ...env },
  });
  // It ends with an error when there is drift.
  const { stdout } = await command.catch((error: { stdout: string }) => error);
  process.stdout.write(stdout);
  return Number(stdout.match(/^drift (\d+)$/m)?.[1] ?? Number.NaN);
}

const database = await startChaosDatabase();
const redis = await startRedisProcess();
await migrate(database.url);
const settings = {
  ...wideLimits,
  DATABASE_URL: database.url,
  REDIS_URL: `redis://127.0.0.1:${redis.port}`,
  LOG_LEVEL: 'warn',
};
const processing = await startParley({ role: 'processing', settings });
const chatSettings = { ...settings, PROCESSING_URL: processing.processingUrl };
const chats = [
  await startParley({ role: 'chat', settings: chatSettings }),
  await startParley({ role: 'chat', settings: chatSettings }),
];
const startedMs = performance.now();
try {
  const { differences, counts, comparisons, countsCompared, recounts } = await runModel({
    urls: chats.map(({ url }) => url),
    seed: Number(values.seed),
    operations: Number(values.operations),
    checkEvery: Number(values['check-every']),
    log: (line) => process.stdout.write(`${line}\n`),
  });
  for (const [what, count] of [...counts].sort()) process.stdout.write(`  ${what}: ${count}\n`);
  for (const difference of differences.slice(0, 20))
    process.stdout.write(`${JSON.stringify(difference, undefined, 2)}\n`);
  const done = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(0);
  process.stdout.write(
    `${done} operations in ${seconds} s, ${comparisons} comparisons of devices, ${countsCompared} of counts (read again before: ${recounts}), ${differences.length} differences\n`,
  );
  const drift = await reconcile(settings);
  process.exitCode = differences.length === 0 && drift === 0 ? 0 : 1;
} finally {
  await Promise.all([...chats, processing].map((each) => each.stop()));
  await redis.kill();
  await database.end();
}
