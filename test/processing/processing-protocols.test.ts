import { execFile } from 'node:child_process';
import { connect } from 'node:net';
import { promisify } from 'node:util';
import { Code, ConnectError, createClient, type Transport } from '@connectrpc/connect';
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from '@connectrpc/connect-node';
import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { expect, onTestFinished, test } from 'vitest';
import { Health } from '../../src/gen/grpc/health/v1/health_pb.ts';
import { ProcessingService, Verdict } from '../../src/gen/parley/processing/v1/processing_pb.ts';
import { startServer } from './processing-harness.ts';

const run = promisify(execFile);
const buf = new URL('../../node_modules/.bin/buf', import.meta.url).pathname;

const transports: Record<string, (baseUrl: string) => Transport> = {
  'Connect over HTTP/1.1': (baseUrl) => createConnectTransport({ baseUrl, httpVersion: '1.1' }),
  'Connect over HTTP/2': (baseUrl) => createConnectTransport({ baseUrl, httpVersion: '2' }),
  'Connect with JSON': (baseUrl) => createConnectTransport({ baseUrl, httpVersion: '1.1', useBinaryFormat: false }),
  'gRPC-Web over HTTP/1.1': (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: '1.1' }),
  'gRPC-Web over HTTP/2': (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: '2' }),
  gRPC: (baseUrl) => createGrpcTransport({ baseUrl }),
};

test.each(Object.entries(transports))('every unary call works by %s', async (_, transport) => {
  const { url, learned } = await startServer();
  const client = createClient(ProcessingService, transport(url));
  const processed = await client.process({ text: 'hi @Ana <b>', roomId: 'r', senderId: 's' });
  expect(processed).toMatchObject({
    verdict: Verdict.ALLOW,
    html: '<p>hi @Ana &lt;b></p>',
    engineVersion: 'scripted-1',
  });
  expect(processed.mentions).toMatchObject([{ name: 'Ana', start: 3, end: 7 }]);
  const checked = await client.check({ text: 'a forbidden word' });
  expect(checked.verdict).toBe(Verdict.BLOCK);
  expect(checked.labels).toMatchObject([
    { name: 'rule', start: 2, end: 11, matched: 'forbidden', id: 'rule:forbidden' },
  ]);
  expect((await client.render({ text: 'x' })).html).toBe('<p>x</p>');
  const batch = await client.processBatch({
    batchId: 'b',
    items: [{ text: 'one' }, { text: 'forbidden' }, { text: 'two' }],
  });
  expect(batch.batchId).toBe('b');
  expect(batch.results.map((each) => each.verdict)).toEqual([Verdict.ALLOW, Verdict.BLOCK, Verdict.ALLOW]);
  expect(batch.results.map((each) => each.html)).toEqual(['<p>one</p>', '<p>forbidden</p>', '<p>two</p>']);
  expect((await client.learn({ examples: [{ text: 'x', label: 1, moderatorId: 'm' }] })).accepted).toBe(1);
  expect(learned).toEqual([{ text: 'x', label: 'spam', moderatorId: 'm' }]);
});

function grpcClient(url: string): grpc.Client {
  const definition = loadSync(new URL('../../proto/parley/processing/v1/processing.proto', import.meta.url).pathname, {
    keepCase: true,
    enums: String,
    defaults: true,
  });
  const loaded = grpc.loadPackageDefinition(definition) as unknown as {
    parley: { processing: { v1: { ProcessingService: grpc.ServiceClientConstructor } } };
  };
  const client = new loaded.parley.processing.v1.ProcessingService(
    new URL(url).host,
    grpc.credentials.createInsecure(),
  );
  onTestFinished(() => client.close());
  return client;
}

test('a client of another implementation (grpc-js) calls and streams', async () => {
  const { url } = await startServer();
  const client = grpcClient(url) as grpc.Client & {
    Process: (
      request: object,
      done: (error: grpc.ServiceError | null, answer: Record<string, unknown>) => void,
    ) => void;
    ProcessStream: () => grpc.ClientDuplexStream<object, { batch_id: string; results: { verdict: string }[] }>;
  };
  const answer = await new Promise((resolve, reject) => {
    client.Process({ text: 'forbidden fruit' }, (error, each) => (error ? reject(error) : resolve(each)));
  });
  expect(answer).toMatchObject({ verdict: 'VERDICT_BLOCK', html: '<p>forbidden fruit</p>' });
  const failed = await new Promise<grpc.ServiceError | null>((resolve) => {
    client.Process({ text: '' }, (error) => resolve(error));
  });
  expect(failed).toMatchObject({ code: grpc.status.INVALID_ARGUMENT, details: 'text must not be empty' });

  const stream = client.ProcessStream();
  const answers: string[] = [];
  stream.on('data', (each: { batch_id: string; results: { verdict: string }[] }) =>
    answers.push(`${each.batch_id}:${each.results.map((result) => result.verdict).join()}`),
  );
  const ended = new Promise((resolve) => stream.on('end', resolve));
  stream.write({ batch_id: 'a', items: [{ text: 'x' }, { text: 'forbidden' }] });
  stream.write({ batch_id: 'b', items: [{ text: 'y' }] });
  stream.end();
  await ended;
  expect(answers.sort()).toEqual(['a:VERDICT_ALLOW,VERDICT_BLOCK', 'b:VERDICT_ALLOW']);
});

async function bufCurl(
  url: string,
  method: string,
  data: string,
  ...flags: string[]
): Promise<{ out: string; error: string }> {
  try {
    const { stdout, stderr } = await run(buf, ['curl', ...flags, '-d', data, `${url}/${method}`], { timeout: 30_000 });
    return { out: stdout, error: stderr };
  } catch (error) {
    return { out: '', error: (error as { stderr: string }).stderr };
  }
}

const service = 'parley.processing.v1.ProcessingService';

test.each([
  ['connect', []],
  ['grpc', ['--protocol', 'grpc', '--http2-prior-knowledge']],
  ['grpcweb', ['--protocol', 'grpcweb']],
])('buf curl finds the services by reflection and calls them by %s', async (_, flags) => {
  const { url } = await startServer();
  const all = ['--http2-prior-knowledge', ...flags.filter((each) => each !== '--http2-prior-knowledge')];
  const processed = await bufCurl(url, `${service}/Process`, '{"text":"forbidden","roomId":"r"}', ...all);
  expect(JSON.parse(processed.out)).toMatchObject({ verdict: 'VERDICT_BLOCK' });
  const refused = await bufCurl(url, `${service}/Process`, '{}', ...all);
  expect(refused.error).toContain('invalid_argument');
  expect(refused.error).toContain('text must not be empty');
  const health = await bufCurl(url, 'grpc.health.v1.Health/Check', '{}', ...all);
  expect(JSON.parse(health.out)).toEqual({ status: 'SERVING' });
});

test.each(['grpc-v1', 'grpc-v1alpha'])('reflection answers as %s', async (protocol) => {
  const { url } = await startServer();
  const { stdout } = await run(
    buf,
    ['curl', '--http2-prior-knowledge', '--reflect-protocol', protocol, '--list-methods', url],
    { timeout: 30_000 },
  );
  expect(stdout.trim().split('\n')).toEqual(
    expect.arrayContaining([
      `${service}/Process`,
      `${service}/ProcessStream`,
      `${service}/Learn`,
      'grpc.health.v1.Health/Check',
    ]),
  );
});

test('everything but health requires the token, reflection included', async () => {
  const token = 'a-token-that-is-long-enough-to-be-one';
  const { url, refused } = await startServer({ token });
  for (const flags of [[], ['--protocol', 'grpc'], ['--protocol', 'grpcweb']]) {
    const all = ['--http2-prior-knowledge', ...flags];
    const known = ['--schema', new URL('../../proto', import.meta.url).pathname];
    expect((await bufCurl(url, `${service}/Process`, '{"text":"x"}', ...all, ...known)).error).toContain(
      'unauthenticated',
    );
    expect((await bufCurl(url, `${service}/Process`, '{"text":"x"}', ...all)).error).toContain(
      'failed to find service',
    );
    const header = ['-H', `authorization: Bearer ${token}`, '--reflect-header', `authorization: Bearer ${token}`];
    expect((await bufCurl(url, `${service}/Process`, '{"text":"x"}', ...all, ...header)).out).toContain(
      'VERDICT_ALLOW',
    );
  }
  for (const transport of Object.values(transports)) {
    const bare = createClient(ProcessingService, transport(url));
    for (const authorization of ['', 'Bearer wrong', token, `Bearer ${token} `]) {
      const attempt = bare.learn({ examples: [] }, { headers: { authorization } });
      // A trailing blank is no part of a header's value, so the last of these carries the token itself.
      const code = authorization.endsWith(' ') ? Code.InvalidArgument : Code.Unauthenticated;
      await expect(attempt).rejects.toMatchObject({ code });
    }
    const health = createClient(Health, transport(url));
    expect((await health.check({})).status).toBe(1);
  }
  expect(new Set(refused)).toEqual(new Set(['unauthenticated', 'invalid_argument']));
});

test('health knows the services, streams changes, and reports a draining server', async () => {
  const { url, server } = await startServer();
  const health = createClient(Health, createGrpcTransport({ baseUrl: url }));
  expect((await health.check({ service })).status).toBe(1);
  await expect(health.check({ service: 'nobody' })).rejects.toMatchObject({ code: Code.NotFound });
  expect(Object.keys((await health.list({})).statuses)).toEqual(expect.arrayContaining(['', service]));
  const seen: number[] = [];
  const watching = (async () => {
    for await (const { status } of health.watch({ service })) seen.push(status);
  })();
  await expect.poll(() => seen).toEqual([1]);
  await server.stop(2000);
  await watching.catch((error) => expect(ConnectError.from(error).code).toBe(Code.Unavailable));
  expect(seen).toEqual([1, 2]);
});

test('the same port answers /health and /metrics over HTTP/1.1', async () => {
  let ready = true;
  const { url } = await startServer({
    readiness: async () => ({ ready, dependencies: { database: ready ? 'ready' : 'down' } }),
    metrics: async () => ({ contentType: 'text/plain; version=0.0.4', body: 'parley_up 1\n' }),
  });
  expect(await (await fetch(`${url}/health/live`)).json()).toEqual({ status: 'live' });
  expect((await fetch(`${url}/health/ready`)).status).toBe(200);
  ready = false;
  const unready = await fetch(`${url}/health/ready`);
  expect(unready.status).toBe(503);
  expect(await unready.json()).toEqual({ status: 'unready', dependencies: { database: 'down' } });
  expect((await fetch(`${url}/health/live`)).status).toBe(200);
  expect(await (await fetch(`${url}/metrics`)).text()).toBe('parley_up 1\n');
  expect((await fetch(`${url}/nothing`)).status).toBe(404);
  expect((await fetch(`${url}/metrics`, { method: 'POST', body: 'x' })).status).toBe(404);
});

test('a connection with no bytes, half a preface or half a request is closed in time', async () => {
  const { url } = await startServer({ settings: { headersTimeoutMs: 300, requestTimeoutMs: 600 } });
  const closed = (first: string) =>
    new Promise<boolean>((resolve) => {
      const socket = connect(Number(new URL(url).port), '127.0.0.1', () => socket.write(first));
      socket.on('data', () => {});
      socket.on('error', () => {});
      socket.on('close', () => resolve(true));
    });
  const closings = ['', 'PR', 'POST /x HTTP/1.1\r\nhost: x\r\n'].map(closed);
  expect(await Promise.all(closings)).toEqual([true, true, true]);
  expect((await fetch(`${url}/health/live`)).status).toBe(200);
});
