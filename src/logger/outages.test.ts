import { expect, test } from 'vitest';
import { createOutages } from './outages.ts';

function record() {
  const lines: string[] = [];
  const warn = (fields: object) => void lines.push(`warn ${(fields as { reason: string }).reason}`);
  const info = () => void lines.push('info');
  return { lines, logger: { warn, info } as never };
}

test('a reason is reported once, a new one at once, and the end', () => {
  const { lines, logger } = record();
  const outage = createOutages(logger, 60_000).of('Redis');
  outage.ended();
  for (let n = 0; n < 50; n++)
    outage.failed(Object.assign(new Error(`refused by port ${n}`), { code: 'ECONNREFUSED' }));
  outage.failed(new Error('WRONGPASS invalid password'));
  outage.failed(new Error('WRONGPASS invalid password'));
  outage.ended();
  outage.ended();
  expect(lines).toEqual(['warn refused by port 0 (ECONNREFUSED)', 'warn WRONGPASS invalid password', 'info']);
});

test('a system that comes and goes all the time is reported a few times in each pause', () => {
  const { lines, logger } = record();
  const outage = createOutages(logger, 60_000).of('Redis');
  for (let n = 0; n < 1000; n++) {
    outage.failed(new Error('reset'));
    outage.ended();
  }
  expect(lines).toHaveLength(10);
});

test('the reason at the end of the chain of causes is reported', () => {
  const { lines, logger } = record();
  const cause = new Error('self-signed certificate');
  createOutages(logger, 60_000).of('OIDC').failed(new Error('fetch failed', { cause }));
  expect(lines).toEqual(['warn self-signed certificate']);
});

test('an error that does not say why is reported only if no reason is known', () => {
  const { lines, logger } = record();
  const vagueForMs = (cause: unknown) => ((cause as Error).message === 'no connection' ? 0 : undefined);
  const outages = createOutages(logger, 60_000);
  const [known, unknown] = [outages.of('known', { vagueForMs }), outages.of('unknown', { vagueForMs })];
  known.failed(new Error('refused'));
  known.failed(new Error('no connection'));
  unknown.failed(new Error('no connection'));
  expect(lines).toEqual(['warn refused', 'warn no connection']);
});
