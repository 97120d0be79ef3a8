import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Registry } from 'prom-client';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { type JobRunner, startJobRunner } from '../../src/jobs/job-runner.ts';
import { createOutages } from '../../src/logger/outages.ts';
import { nodeEnvironment } from '../harness/node-environment.ts';
import { type MailReceiver, startMailReceiver } from './mail-receiver.ts';
import { createTown, issueToken, jobSettings, silent, type Town } from './mail-town.ts';

let town: Town;
let receiver: MailReceiver;
let runners: JobRunner[] = [];
let children: ChildProcess[] = [];

/** Short times, so that what takes a minute in earnest takes a second. */
const quick = () => ({
  SMTP_URL: receiver.url,
  PARLEY_NOTIFICATIONS_EMAIL_DELAY: '300ms',
  PARLEY_JOBS_POLL_INTERVAL: '100ms',
  PARLEY_JOBS_HEARTBEAT: '200ms',
  PARLEY_JOBS_DEAD_AFTER: '1500ms',
  PARLEY_SMTP_RETRY_PAUSE: '100ms',
});

function startRunner(settings: Readonly<Record<string, string>> = {}): { runner: JobRunner; registry: Registry } {
  const registry = new Registry();
  const options = {
    db: town.db,
    databaseUrl: town.url,
    issueToken,
    logger: silent,
    outages: createOutages(silent, 60_000),
    registry,
  };
  const runner = startJobRunner({ ...options, settings: jobSettings({ ...quick(), ...settings }) });
  runners.push(runner);
  return { runner, registry };
}

async function startChild(): Promise<ChildProcess> {
  const [driverFix, runner] = ['../../src/database/connection/driver-fix.ts', 'runner-process.ts'].map(
    (path) => new URL(path, import.meta.url).href,
  );
  const child = spawn(process.execPath, ['--import', driverFix!, fileURLToPath(runner!)], {
    env: { DATABASE_URL: town.url, ...nodeEnvironment, ...quick() },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  await once(child.stdout!, 'data');
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'exit');
}

beforeAll(async () => {
  town = await createTown();
});
afterAll(() => town.close());
beforeEach(async () => {
  receiver = await startMailReceiver();
});
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  await Promise.all(runners.map((runner) => runner.stop()));
  runners = [];
  children = [];
  await town.sql`delete from mails`;
  await town.sql`delete from graphile_worker._private_jobs`;
  await receiver.stop();
});

/** What the statement that stores messages does for their room. */
const lookAt = (
  roomId: string,
) => town.sql`select graphile_worker.add_job('room_unread', json_build_object('roomId', ${roomId}::text),
  run_at => now() + interval '300 milliseconds', job_key => ${`room-unread:${roomId}`}, job_key_mode => 'preserve_run_at')`;

/** A room with something just said. */
async function news(readers: number): Promise<{ ana: string; people: string[]; room: string }> {
  const ana = await town.person('ana');
  const people = await Promise.all(Array.from({ length: readers }, (_, index) => town.person(`p${index}x`)));
  const room = await town.room('square', [ana, ...people]);
  await town.say(room, ana, 'news', { agoMs: 0 });
  await lookAt(room);
  return { ana, people, room };
}

const states = async () => (await town.mails()).map(({ state }) => state);
const lockedJobs = () => town.sql`select 1 from graphile_worker._private_jobs where locked_at is not null`;

test('what is unread after the delay becomes a mail by itself, one for each reader, with two workers at it', async () => {
  startRunner();
  startRunner();
  const { people } = await news(12);
  await expect.poll(states).toEqual(people.map(() => 'sent'));
  const receivers = receiver.mails.map(({ to }) => to);
  expect(new Set(receivers).size).toBe(people.length);
  expect(receivers).toHaveLength(people.length);
});

test('a message that lost its job to a starting one is found by the second look', async () => {
  const { ana, people, room } = await news(1);
  await town.read(room, people[0]!, 99);
  startRunner();
  // The sender's job has run and found nothing; what follows was added to the queue and lost.
  await expect
    .poll(
      async () =>
        (await town.sql`select 1 from graphile_worker._private_jobs where key = ${`room-unread:${room}`}`).length,
    )
    .toBe(0);
  await town.sql`update read_states set last_read_seq = (select max(seq) from events where room_id = ${room}) where room_id = ${room}`;
  await town.say(room, ana, 'lost', { agoMs: 0 });
  await expect.poll(states).toEqual(['sent']);
});

test('a worker killed before the final dot: another sends the mail, once', async () => {
  let held = 0;
  receiver.onRecipient = () => {
    held++;
    return held === 1 ? new Promise(() => {}) : 'ok';
  };
  const child = await startChild();
  await news(1);
  await expect.poll(() => held).toBe(1);
  await kill(child);
  startRunner();
  await expect.poll(states).toEqual(['sent']);
  await expect.poll(async () => (await lockedJobs()).length).toBe(0);
  expect(receiver.mails).toHaveLength(1);
});

test('a worker killed after the final dot: the mail may have been sent, and nobody sends it again', async () => {
  receiver.onMessage = () => new Promise(() => {});
  const child = await startChild();
  await news(1);
  await expect.poll(async () => (await town.mails()).some(({ handed }) => handed)).toBe(true);
  await kill(child);
  receiver.onMessage = () => 'ok';
  startRunner();
  await expect.poll(states).toEqual(['maybe_sent']);
  // Another reader's mail passes by the same way afterwards: the first one's did not come before it.
  await news(1);
  await expect.poll(async () => (await states()).toSorted()).toEqual(['maybe_sent', 'sent']);
  expect(receiver.mails).toHaveLength(1);
});

test('a stopped worker gives back what it could not finish', async () => {
  let held = 0;
  receiver.onRecipient = () => {
    held++;
    return held === 1 ? new Promise(() => {}) : 'ok';
  };
  const { runner } = startRunner({ PARLEY_JOBS_STOP_TIMEOUT: '100ms', PARLEY_JOBS_DEAD_AFTER: '1h' });
  await news(1);
  await expect.poll(() => held).toBe(1);
  await runner.stop();
  runners = [];
  expect(await town.sql`select 1 from job_workers`).toHaveLength(0);
  expect(await lockedJobs()).toHaveLength(0);
  startRunner({ PARLEY_JOBS_DEAD_AFTER: '1h' });
  await expect.poll(states).toEqual(['sent']);
  expect(receiver.mails).toHaveLength(1);
});

test('cut database connections and poisoned jobs do not stop the work', async () => {
  const { registry } = startRunner();
  await expect
    .poll(
      async () =>
        (
          await town.sql`select 1 from pg_stat_activity where application_name = 'parley-worker' and datname = current_database()`
        ).length,
    )
    .toBeGreaterThan(0);
  await town.sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name in ('parley-worker', 'parley-test')
    and datname = current_database() and pid <> pg_backend_pid()`;
  await town.sql`select graphile_worker.add_job('unread_mail', '{"mailId":"none"}'), graphile_worker.add_job('room_unread', '[7]'),
    graphile_worker.add_job('account_mail', ${town.sql.json({ mailId: '01900000-0000-7000-8000-000000000000' })}::json)`;
  await news(1);
  await expect.poll(states).toEqual(['sent']);
  const refused = async () =>
    (await registry.getSingleMetric('parley_jobs_total')?.get())?.values.filter(
      ({ labels }) => labels.result === 'refused',
    );
  await expect.poll(async () => (await refused())?.length).toBe(2);
  expect(await registry.metrics()).toContain('parley_mails_total{state="sent",kind="unread"} 1');
});

test('connections cut again and again lose no job and leave none locked', async () => {
  const { registry } = startRunner();
  for (let round = 0; round < 8; round++) {
    await town.sql`select graphile_worker.add_job('account_mail', json_build_object('mailId', gen_random_uuid()))
      from generate_series(1, 20)`;
    // In the middle of the work: some of it is done, some is not.
    const left = async () => (await town.sql`select 1 from graphile_worker._private_jobs`).length;
    const before = await left();
    await expect.poll(left, { interval: 5 }).not.toBe(before);
    await town.sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name in ('parley-worker', 'parley-test')
      and datname = current_database() and pid <> pg_backend_pid()`;
  }
  await expect.poll(async () => (await town.sql`select 1 from graphile_worker._private_jobs`).length).toBe(0);
  expect(await registry.metrics()).toMatch(/parley_jobs_total\{task="account_mail",result="done"\} \d{3}/);
});
