import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { createLogger, type LoggerSettings } from './logger.ts';

/** What is written to a terminal or to something else. */
function write(
  settings: Partial<LoggerSettings>,
  { isTTY }: { isTTY: boolean },
  say: (logger: ReturnType<typeof createLogger>) => void,
): string {
  const output = Object.assign(new PassThrough(), { isTTY, hasColors: () => false });
  say(createLogger({ level: 'info', bufferBytes: 100_000, ...settings }, output as never));
  return String(output.read() ?? '');
}

const greet = (logger: ReturnType<typeof createLogger>) => logger.info({ port: 8080 }, 'Parley is ready');
const json = /^\{"level":30,"time":\d+,"port":8080,"msg":"Parley is ready"\}\n$/;
const pretty = /^\[\d\d:\d\d:\d\d\] INFO: Parley is ready \{"port":8080\}\n$/;

test.each([
  ['auto', true, pretty],
  ['auto', false, json],
  ['json', true, json],
  ['json', false, json],
  ['pretty', true, pretty],
  ['pretty', false, pretty],
] as const)('the format %s writes to a terminal (%s) as it says', (format, isTTY, expected) => {
  expect(write({ format }, { isTTY }, greet)).toMatch(expected);
});

test('on a terminal errors have their stack, and secrets are hidden as elsewhere', () => {
  const written = write({}, { isTTY: true }, (logger) =>
    logger.error({ error: new Error('it broke', { cause: new Error('deeper') }), token: 'abc' }, 'trouble'),
  );
  expect(written).toMatch(/ERROR: trouble/);
  expect(written).toContain('it broke');
  expect(written).toContain('    at ');
  expect(written).toContain('deeper');
  expect(written).not.toContain('abc');
});

test('what others said cannot drive the terminal', () => {
  const written = write({}, { isTTY: true }, (logger) =>
    logger.warn({ origin: '\u001b[2Jx\u009bx\rx', error: new Error('\u001b]0;title\u0007') }, 'said \u001b[31m'),
  );
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
  expect(written).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);
  expect(written).toContain('\\x1b[31m');
});
