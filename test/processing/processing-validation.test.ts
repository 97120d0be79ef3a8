import { connect as connectHttp2 } from 'node:http2';
import { type Client, Code, type ConnectError, createClient } from '@connectrpc/connect';
import { createConnectTransport, createGrpcTransport } from '@connectrpc/connect-node';
import { expect, test } from 'vitest';
import { Label, ProcessingService } from '../../src/gen/parley/processing/v1/processing_pb.ts';
import { startScriptedEngine, startServer } from './processing-harness.ts';

type ProcessingClient = Client<typeof ProcessingService>;
const long = 'x'.repeat(65_537);
const example = { text: 'x', label: Label.SPAM, moderatorId: 'm' };

const refused: [string, (client: ProcessingClient) => Promise<unknown>, Code, string][] = [
  ['no text', (c) => c.process({}), Code.InvalidArgument, 'text must not be empty'],
  ['no text to check', (c) => c.check({}), Code.InvalidArgument, 'text must not be empty'],
  ['no text to render', (c) => c.render({}), Code.InvalidArgument, 'text must not be empty'],
  ['a text that is too long', (c) => c.process({ text: long }), Code.ResourceExhausted, 'text is longer than 65536'],
  ['the same to render', (c) => c.render({ text: long }), Code.ResourceExhausted, 'text is longer'],
  ['a long id', (c) => c.process({ text: 'x', roomId: 'r'.repeat(129) }), Code.InvalidArgument, 'room_id is longer'],
  [
    'a control character',
    (c) => c.process({ text: 'x', senderId: 'a\n' }),
    Code.InvalidArgument,
    'sender_id holds control',
  ],
  [
    'an unknown kind',
    (c) => c.process({ text: 'x', kind: 99 as never }),
    Code.InvalidArgument,
    'kind 99 is no known kind',
  ],
  [
    'a threshold above 1',
    (c) => c.process({ text: 'x', policy: { flagThreshold: 1.5 } }),
    Code.InvalidArgument,
    'policy.flag_threshold must be from 0 to 1',
  ],
  [
    'a threshold that is no number',
    (c) => c.process({ text: 'x', policy: { blockThreshold: Number.NaN } }),
    Code.InvalidArgument,
    'policy.block_threshold must be from 0 to 1',
  ],
  [
    'thresholds the wrong way round',
    (c) => c.process({ text: 'x', policy: { flagThreshold: 0.9, blockThreshold: 0.5 } }),
    Code.InvalidArgument,
    'policy.block_threshold must not be below',
  ],
  [
    'an unknown action',
    (c) => c.process({ text: 'x', policy: { slurs: 9 as never } }),
    Code.InvalidArgument,
    'policy.slurs 9 is no known action',
  ],
  ['an empty batch', (c) => c.processBatch({ batchId: 'b' }), Code.InvalidArgument, 'items must hold at least one'],
  [
    'a long batch id',
    (c) => c.processBatch({ batchId: 'b'.repeat(129), items: [{ text: 'x' }] }),
    Code.InvalidArgument,
    'batch_id is longer',
  ],
  [
    'an item without text',
    (c) => c.processBatch({ items: [{ text: 'x' }, {}] }),
    Code.InvalidArgument,
    'items[1].text must not be empty',
  ],
  [
    'too many items',
    (c) => c.processBatch({ items: Array.from({ length: 1001 }, () => ({ text: 'x' })) }),
    Code.ResourceExhausted,
    'items holds more than 1000',
  ],
  ['no examples', (c) => c.learn({}), Code.InvalidArgument, 'examples must hold at least one'],
  [
    'an example without label',
    (c) => c.learn({ examples: [example, { ...example, label: Label.UNSPECIFIED }] }),
    Code.InvalidArgument,
    'examples[1].label must be one of',
  ],
  [
    'an example of nobody',
    (c) => c.learn({ examples: [{ ...example, moderatorId: '' }] }),
    Code.InvalidArgument,
    'examples[0].moderator_id must not be empty',
  ],
  [
    'an example with NUL',
    (c) => c.learn({ examples: [{ ...example, text: 'a\0b' }] }),
    Code.InvalidArgument,
    'examples[0].text holds NUL',
  ],
  ['a message beyond all bounds', (c) => c.process({ text: 'x'.repeat(5 * 1024 * 1024) }), Code.ResourceExhausted, ''],
];

test.each(['gRPC', 'Connect'])(
  'invalid input over %s is refused with the name of the field and has no effect',
  async (protocol) => {
    const { url, learned } = await startServer();
    const transport =
      protocol === 'gRPC'
        ? createGrpcTransport({ baseUrl: url })
        : createConnectTransport({ baseUrl: url, httpVersion: '2' });
    const client = createClient(ProcessingService, transport);
    for (const [what, call, code, message] of refused) {
      const error = await call(client).then(
        () => undefined,
        (each: ConnectError) => each,
      );
      expect([what, error?.code], error?.message).toEqual([what, code]);
      expect(error?.rawMessage).toContain(message);
    }
    expect(learned).toEqual([]);
    expect((await client.process({ text: 'still well' })).html).toBe('<p>still well</p>');
  },
);

test.each([
  ['an unknown field', '{"text":"x","colour":"red"}', 'colour'],
  ['a number for a text', '{"text":7}', 'text'],
  ['a text for a number', '{"text":"x","policy":{"flagThreshold":"much"}}', 'flag_threshold'],
  ['an unknown enum name', '{"text":"x","kind":"TEXT_KIND_SONG"}', 'TextKind'],
  ['half a document', '{"text":', ''],
])('JSON with %s is refused with the name of the field', async (_, body, field) => {
  const { url } = await startServer();
  const answer = await fetch(`${url}/parley.processing.v1.ProcessingService/Process`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
  expect(answer.status).toBe(400);
  const problem = (await answer.json()) as { code: string; message: string };
  expect(problem.code).toBe('invalid_argument');
  expect(problem.message).toContain(field);
});

test('bytes that are not protobuf are an error of the caller, over every protocol, and fail only that call', async () => {
  const { url, refused } = await startServer();
  const noise = Buffer.from([0xff, 0xff, 0xff, 0x01, 0x02]);
  const post = (method: string, type: string, body: Buffer) =>
    fetch(`${url}/parley.processing.v1.ProcessingService/${method}`, {
      method: 'POST',
      headers: { 'content-type': type },
      body: new Uint8Array(body),
    });
  const plain = await post('Process', 'application/proto', noise);
  expect(plain.status).toBe(400);
  expect(await plain.json()).toMatchObject({ code: 'invalid_argument' });
  const enveloped = Buffer.concat([Buffer.from([0, 0, 0, 0, noise.length]), noise]);
  const web = await post('Process', 'application/grpc-web+proto', enveloped);
  expect(await web.text()).toContain('grpc-status: 3\r\n');
  for (const method of ['Process', 'ProcessStream']) expect(await callGrpcRaw(url, method, enveloped)).toBe('3');
  expect(refused).toEqual(Array(4).fill('invalid_argument'));
  expect((await fetch(`${url}/health/ready`)).status).toBe(200);
});

/** One gRPC call with this body. @returns its `grpc-status` */
async function callGrpcRaw(url: string, method: string, body: Buffer): Promise<string> {
  const session = connectHttp2(url);
  const call = session.request({
    ':method': 'POST',
    ':path': `/parley.processing.v1.ProcessingService/${method}`,
    'content-type': 'application/grpc+proto',
    te: 'trailers',
  });
  const status = new Promise<string>((resolve, reject) => {
    const look = (headers: Record<string, unknown>) => {
      if (headers['grpc-status'] !== undefined) resolve(String(headers['grpc-status']));
    };
    call.on('response', look);
    call.on('trailers', look);
    call.on('error', reject);
  });
  call.resume();
  call.end(body);
  try {
    return await status;
  } finally {
    session.close();
  }
}

test('invalid input ends its stream with the name of the field, after earlier batches were answered', async () => {
  const { url } = await startServer();
  const client = createClient(ProcessingService, createGrpcTransport({ baseUrl: url }));
  const answered = Promise.withResolvers<void>();
  async function* requests() {
    yield { batchId: 'good', items: [{ text: 'x' }] };
    await answered.promise;
    yield { batchId: 'bad', items: [{ text: 'x' }, { text: '' }] };
  }
  const seen: string[] = [];
  const reading = (async () => {
    for await (const answer of client.processStream(requests())) {
      seen.push(answer.batchId);
      answered.resolve();
    }
  })();
  await expect(reading).rejects.toMatchObject({
    code: Code.InvalidArgument,
    rawMessage: 'items[1].text must not be empty',
  });
  expect(seen).toEqual(['good']);
});

test('each batch of a stream is answered with its id, results in the order of the items', async () => {
  const { url } = await startServer();
  const client = createClient(ProcessingService, createGrpcTransport({ baseUrl: url }));
  async function* requests() {
    for (let batch = 0; batch < 100; batch++) {
      yield {
        batchId: `b${batch}`,
        items: Array.from({ length: 1 + (batch % 40) }, (_, item) => ({ text: `${batch}/${item}` })),
      };
    }
  }
  const seen = new Map<string, string[]>();
  for await (const answer of client.processStream(requests())) {
    seen.set(
      answer.batchId,
      answer.results.map((result) => result.html),
    );
  }
  const expected = Array.from({ length: 100 }, (_, batch) => [
    `b${batch}`,
    Array.from({ length: 1 + (batch % 40) }, (_, item) => `<p>${batch}/${item}</p>`),
  ]);
  expect([...seen].sort()).toEqual(expected.sort());
});

test('a call fails at its deadline while its work still waits, and the work is dropped', async () => {
  const engine = await startScriptedEngine({ spares: 0, itemTimeoutMs: 60_000 });
  const { url } = await startServer({ engine });
  const client = createClient(ProcessingService, createGrpcTransport({ baseUrl: url }));
  let slowIsDone = false;
  const slow = client.process({ text: 'pause 1500' }).finally(() => {
    slowIsDone = true;
  });
  await expect.poll(() => engine.stats().given, { interval: 1 }).toBe(1);
  const late = client.process({ text: 'behind it' }, { timeoutMs: 100 });
  await expect(late).rejects.toMatchObject({ code: Code.DeadlineExceeded });
  expect(slowIsDone).toBe(false);
  async function* requests() {
    yield { batchId: 'late', items: [{ text: 'behind it too' }], timeoutMs: 50 };
    yield { batchId: 'patient', items: [{ text: 'waits' }] };
  }
  const answers: [string, number, number][] = [];
  for await (const { batchId, error, results } of client.processStream(requests())) {
    answers.push([batchId, error?.code ?? 0, results.length]);
  }
  expect(answers).toEqual([
    ['late', Code.DeadlineExceeded, 0],
    ['patient', 0, 1],
  ]);
  expect((await slow).verdict).toBe(1);
});

test('overload is UNAVAILABLE at once, to single calls as a status and on a stream as an answer', async () => {
  const engine = await startScriptedEngine({ spares: 0, queueMax: 20, itemTimeoutMs: 60_000 });
  const { url, refused } = await startServer({ engine });
  const client = createClient(ProcessingService, createGrpcTransport({ baseUrl: url }));
  let busyIsDone = false;
  const busy = client.process({ text: 'pause 1500' }).finally(() => {
    busyIsDone = true;
  });
  await expect.poll(() => engine.stats().given).toBe(1);
  const waiting = Promise.all(
    Array.from({ length: 3 }, () => client.processBatch({ items: Array(10).fill({ text: 'x' }) })).map((each) =>
      each.then(
        () => 'judged',
        (error: ConnectError) => error.code,
      ),
    ),
  );
  await expect.poll(() => engine.stats().given + engine.stats().waiting).toBeGreaterThanOrEqual(21);
  const refusedCall = client.process({ text: 'one more' });
  const many = client.processBatch({ items: Array(21).fill({ text: 'x' }) });
  await expect(many).rejects.toMatchObject({ code: Code.Unavailable });
  expect(busyIsDone).toBe(false);
  async function* requests() {
    yield { batchId: 'much', items: Array(21).fill({ text: 'x' }) };
  }
  for await (const { error, results } of client.processStream(requests())) {
    expect(error).toMatchObject({ code: Code.Unavailable, retryAfterMs: 250 });
    expect(results).toEqual([]);
  }
  await Promise.allSettled([refusedCall, busy]);
  expect(new Set(refused)).toEqual(new Set(['unavailable']));
  expect(await waiting).toContain('judged');
});

test('a text that blocks its thread gets the verdict error, and the next time costs no thread', async () => {
  const lost: string[] = [];
  const engine = await startScriptedEngine({}, { events: { onLostThread: (reason) => lost.push(reason) } });
  const { url } = await startServer({ engine });
  const client = createClient(ProcessingService, createGrpcTransport({ baseUrl: url }));
  const items = [{ text: 'before' }, { text: 'spin for ever' }, { text: 'after' }];
  const { results } = await client.processBatch({ items });
  expect(results.map((each) => each.verdict)).toEqual([1, 4, 1]);
  expect(results[1]).toMatchObject({ html: '', labels: [{ name: 'error', id: 'overran' }] });
  expect(lost).toEqual(['overran', 'overran']);
  expect((await client.process({ text: 'spin for ever' })).verdict).toBe(4);
  expect(lost).toHaveLength(2);
});
