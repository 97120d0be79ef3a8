/**
 * Files in an S3-compatible store. Each is put with one request of a known length, so an upload that fails leaves no parts
 * behind that somebody would have to pay for, and takes no more memory than a stream does.
 */
import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import type { S3Client } from '@aws-sdk/client-s3';
import { Failure } from '../../../errors.ts';
import { type FileStore, storeFailure } from './file-store.ts';

export interface S3Settings {
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  readonly accessKeyId: string | undefined;
  readonly secretAccessKey: string | undefined;
  readonly pathStyle: boolean;
  /** Milliseconds of one request, until the answer begins. */
  readonly timeout: number;
  readonly attemptsMax: number;
  readonly connectionsMax: number;
}

type Sdk = typeof import('@aws-sdk/client-s3');

/** Pause before another attempt; it doubles each time. */
const retryPauseMs = 200;

export function createS3FileStore(settings: S3Settings): FileStore {
  const { bucket, timeout, attemptsMax } = settings;
  let connecting: Promise<{ sdk: Sdk; client: S3Client }> | undefined;

  /** The SDK takes half a second to load, so it loads with the first file. */
  function connect() {
    connecting ??= import('@aws-sdk/client-s3').then((sdk) => ({ sdk, client: createClient(sdk, settings) }));
    return connecting;
  }

  /** @param send one request; the signal aborts it */
  async function inTime<Answer>(send: (signal: AbortSignal) => Promise<Answer>): Promise<Answer> {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(new Error(`no answer in ${timeout} ms`)), timeout);
    try {
      return await send(late.signal);
    } finally {
      clearTimeout(timer);
    }
  }

  /** The SDK repeats requests itself, but not those whose body is a stream. */
  async function putOnce(key: string, path: string, { size, type }: { size: number; type: string }): Promise<void> {
    const { sdk, client } = await connect();
    const body = createReadStream(path, { highWaterMark: 256 * 1024 });
    // A stream that fails after its request has ended has no listener of the SDK any more.
    body.on('error', () => {});
    try {
      const file = { Bucket: bucket, Key: key, Body: body, ContentLength: size, ContentType: type };
      await inTime((abortSignal) => client.send(new sdk.PutObjectCommand(file), { abortSignal }));
    } finally {
      body.destroy();
    }
  }

  return {
    put: async (key, path, file) => {
      for (let attempt = 1; ; attempt++) {
        try {
          return await putOnce(key, path, file);
        } catch (error) {
          if (attempt >= attemptsMax || !isWorthRepeating(error)) throw storeFailure(error);
          await pause(retryPauseMs * 2 ** (attempt - 1));
        }
      }
    },
    open: async (key, range) => {
      const { sdk, client } = await connect();
      const part = range ? { Range: `bytes=${range.start}-${range.end}` } : {};
      try {
        const { Body } = await inTime((abortSignal) =>
          client.send(new sdk.GetObjectCommand({ Bucket: bucket, Key: key, ...part }), { abortSignal }),
        );
        return Body as Readable;
      } catch (error) {
        if (statusOf(error) === 404) throw new Failure('not_found', 'no such file', { cause: error });
        throw storeFailure(error);
      }
    },
    remove: async (key) => {
      const { sdk, client } = await connect();
      try {
        await inTime((abortSignal) =>
          client.send(new sdk.DeleteObjectCommand({ Bucket: bucket, Key: key }), { abortSignal }),
        );
      } catch (error) {
        // S3 answers 204 for a key that is not there; other stores say so.
        if (statusOf(error) !== 404 || isBucketMissing(error)) throw storeFailure(error);
      }
    },
    stop: () => {
      void connecting?.then(
        ({ client }) => client.destroy(),
        () => {},
      );
    },
  };
}

function createClient(sdk: Sdk, settings: S3Settings): S3Client {
  const { endpoint, region, pathStyle, accessKeyId, secretAccessKey, timeout, attemptsMax, connectionsMax } = settings;
  const isGiven = accessKeyId !== undefined && secretAccessKey !== undefined;
  const agent = { maxSockets: connectionsMax, keepAlive: true };
  return new sdk.S3Client({
    ...{ endpoint, region, forcePathStyle: pathStyle, maxAttempts: attemptsMax },
    // Without keys the SDK looks where AWS puts them: the environment, or the role of the machine.
    ...(isGiven ? { credentials: { accessKeyId, secretAccessKey } } : {}),
    // Stores other than AWS reject the checksums that the SDK adds by default.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: Math.min(timeout, 3000),
      socketTimeout: timeout,
      httpAgent: agent,
      httpsAgent: agent,
    },
  });
}

function statusOf(error: unknown): number | undefined {
  return (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
}

function isBucketMissing(error: unknown): boolean {
  return (error as { name?: string }).name === 'NoSuchBucket';
}

/** Not a refusal such as 403, which a repeat does not change. */
function isWorthRepeating(error: unknown): boolean {
  const status = statusOf(error);
  return status === undefined || status >= 500 || status === 429;
}
