import { expect, test } from 'vitest';
import type { Failure } from '../../src/errors.ts';
import type { TextEngine } from '../../src/processing/engine/text-task.ts';
import { startTcpProxy } from '../chaos/tcp-proxy.ts';
import {
  breakerSettings,
  connectInstance,
  draft,
  startClient,
  startScriptedEngine,
  startServer,
} from './processing-harness.ts';

test('concurrent drafts share a batch and each gets its own verdict', async () => {
  const { url } = await startServer();
  const { client, sources } = startClient({ instances: [connectInstance(url)] });
  const verdicts = await Promise.all(
    Array.from({ length: 300 }, (_, n) => client.judgeOne(draft(n % 3 === 0 ? `forbidden ${n}` : `fine ${n}`))),
  );
  expect(verdicts.map((each) => each.outcome)).toEqual(verdicts.map((_, n) => (n % 3 === 0 ? 'block' : 'allow')));
  expect(verdicts[1]!.html).toBe('<p>fine 1</p>');
  expect(sources).toEqual({ remote: 300, local: 0, none: 0 });
});

test('both instances get their share', async () => {
  const judged = [0, 0];
  const engines = await Promise.all(
    judged.map((_, at) =>
      startScriptedEngine(
        {},
        {
          events: {
            onResult: () => {
              judged[at]! += 1;
            },
          },
        },
      ),
    ),
  );
  const servers = await Promise.all(engines.map((engine) => startServer({ engine })));
  const { client } = startClient({
    instances: servers.map(({ url }) => connectInstance(url)),
    settings: { batchMax: 1 },
  });
  await Promise.all(Array.from({ length: 40 }, (_, n) => client.judgeOne(draft(`text ${n}`))));
  expect(judged[0]! + judged[1]!).toBe(40);
  expect(Math.min(...judged)).toBeGreaterThan(10);
});

test('while an instance is away the local engine judges, and the instance is used again when it is back', async () => {
  const { url, server } = await startServer();
  const port = Number(new URL(url).port);
  const local = await startScriptedEngine();
  const { client, sources } = startClient({ instances: [connectInstance(url)], local });
  await client.judgeOne(draft('first'));
  await server.stop(0);
  for (let n = 0; n < 20; n++) expect((await client.judgeOne(draft(`away ${n}`))).outcome).toBe('allow');
  expect(sources.local).toBe(20);
  await startServer({ settings: { port } });
  await expect
    .poll(async () => {
      await client.judgeOne(draft('back?'));
      return sources.remote;
    })
    .toBeGreaterThan(1);
});

test('without an instance or an engine there is no verdict', async () => {
  const { client, sources } = startClient({
    instances: [connectInstance('http://127.0.0.1:9')],
    settings: { fallback: 'refuse', timeoutMs: 300 },
  });
  await expect(client.judgeOne(draft('anything'))).rejects.toMatchObject({ code: 'unavailable', mode: 'refuse' });
  expect(sources.none).toBe(1);
});

test('a frozen instance costs drafts a share of their time until its breaker opens, and is used again when it wakes', async () => {
  const proxy = await startTcpProxy(() => [port]);
  const { url } = await startServer();
  const port = Number(new URL(url).port);
  const instance = connectInstance(`http://127.0.0.1:${proxy.port}`);
  let batchesSent = 0;
  const send: typeof instance.send = (...batch) => {
    batchesSent += 1;
    return instance.send(...batch);
  };
  const { client, sources } = startClient({ instances: [{ ...instance, send }], local: await startScriptedEngine() });
  await client.judgeOne(draft('before'));
  proxy.become('swallow');
  for (let n = 0; n < 10; n++) expect((await client.judgeOne(draft(`frozen ${n}`))).outcome).toBe('allow');
  expect(sources.local).toBe(10);
  const before = batchesSent;
  await client.judgeOne(draft('left alone'));
  expect(batchesSent).toBe(before);
  proxy.become('pass');
  await expect
    .poll(async () => {
      await client.judgeOne(draft('awake?'));
      return sources.remote;
    })
    .toBeGreaterThan(1);
  await proxy.stop();
});

test('a second instance is asked within the retry budget; beyond it the local engine judges at once', async () => {
  const proxy = await startTcpProxy(() => [Number(new URL(frozen.url).port)]);
  const [frozen, well] = [await startServer(), await startServer()];
  const patient = { breaker: { ...breakerSettings, failuresToOpen: 1000 } };
  const { client, sources, retries } = startClient({
    instances: [connectInstance(`http://127.0.0.1:${proxy.port}`, patient), connectInstance(well.url)],
    local: await startScriptedEngine(),
    settings: { batchMax: 1, timeoutMs: 8000, attemptTimeoutMs: 1000, retries: { share: 0, reserve: 3 } },
  });
  await Promise.all([client.judgeOne(draft('one')), client.judgeOne(draft('other'))]);
  proxy.become('swallow');
  // One draft each, to the two of them in turns: five stay with the frozen instance.
  const verdicts = await Promise.all(Array.from({ length: 10 }, (_, n) => client.judgeOne(draft(`${n}`))));
  expect(verdicts.map(({ outcome }) => outcome)).toEqual(Array(10).fill('allow'));
  expect(retries).toEqual({ asked: 3, over_budget: 2 });
  expect(sources).toEqual({ remote: 10, local: 2, none: 0 });
  await proxy.stop();
});

test.each([
  ['the local engine', async () => ({ instances: [] })],
  [
    'a processing instance',
    async (engine: TextEngine) => ({ instances: [connectInstance((await startServer({ engine })).url)] }),
  ],
])(
  'more drafts than %s can judge in time: the rest is refused before it is judged, and told when to come back',
  async (_, instancesOf) => {
    let judged = 0;
    const events = { onResult: () => void judged++ };
    const engine = await startScriptedEngine({}, { events });
    const { instances } = await instancesOf(engine);
    // Four milliseconds each: a thousand take four seconds.
    const { client, sources } = startClient({
      instances,
      ...(instances.length > 0 ? {} : { local: engine }),
      settings: {
        queueWaitMs: 1000,
        timeoutMs: 2000,
        attemptTimeoutMs: 2000,
        fallback: instances.length > 0 ? 'refuse' : 'local',
      },
    });
    const answers = await Promise.allSettled(
      Array.from({ length: 1000 }, (_each, n) => client.judgeOne(draft(`pause 4 ${n}`))),
    );
    const refusals = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason as Failure] : []));
    expect(refusals.length).toBeGreaterThan(0);
    expect(new Set(refusals.map(({ message }) => message))).toEqual(new Set(['too many messages wait to be judged']));
    expect(Math.min(...refusals.map(({ retryAfterMs }) => retryAfterMs ?? 0))).toBeGreaterThan(0);
    expect(judged).toBe(sources.remote + sources.local);
    expect(judged).toBe(1000 - refusals.length);
  },
);
