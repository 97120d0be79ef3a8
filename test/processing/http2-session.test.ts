import { expect, test } from 'vitest';
import { startTcpProxy } from '../chaos/tcp-proxy.ts';
import { connectInstance, draft, startClient, startScriptedEngine, startServer } from './processing-harness.ts';

test('if an instance sends noise, the local engine judges, no error is unhandled, and the instance is used again later', async () => {
  const { url } = await startServer();
  const proxy = await startTcpProxy(() => [Number(new URL(url).port)]);
  const unheard: unknown[] = [];
  const hear = (error: unknown) => unheard.push(error);
  process.on('uncaughtExceptionMonitor', hear);
  const { client, sources } = startClient({
    instances: [connectInstance(`http://127.0.0.1:${proxy.port}`)],
    local: await startScriptedEngine(),
  });
  await client.judgeOne(draft('first'));
  for (let round = 0; round < 5; round++) {
    proxy.become('garble');
    for (let n = 0; n < 20; n++) expect((await client.judgeOne(draft(`noise ${n}`))).outcome).toBe('allow');
    proxy.become('pass');
    const before = sources.remote;
    await expect
      .poll(async () => {
        await client.judgeOne(draft('back?'));
        return sources.remote;
      })
      .toBeGreaterThan(before);
  }
  process.off('uncaughtExceptionMonitor', hear);
  expect(unheard).toEqual([]);
  await proxy.stop();
});
