/** The settings of uploaded files: the part `uploads` of the schema. */
import { duration, flag, integer, optional, size, text } from './setting.ts';

const httpUrl = /^https?:\/\/\S+$/i;

export const uploadSettings = {
  dir: text(
    'data/uploads',
    'Folder of uploaded files, and of files on their way to uploads.s3; all instances share it',
  ),
  maxBytes: size('25MB', 'Largest file; at most 5 GB', { max: 5 * 1024 ** 3 }),
  quotaBytes: size('1GB', 'Bytes that the files of one user may take, thumbnails included'),
  perMessageMax: integer(10, 'Files of one message', { min: 1, max: 100 }),
  perUserMax: integer(10, 'Uploads of one user at once', { min: 1 }),
  perProcessMax: integer(200, 'Uploads of one instance at once; more get 503', { min: 1 }),
  perMinute: integer(120, 'Uploads per minute and user', { min: 1 }),
  timeout: duration('10m', 'Longest upload, from the first byte to the answer', { minMs: 1000, maxMs: 86_400_000 }),
  idleTimeout: duration('30s', 'An upload or download ends if no byte arrives for this long', { minMs: 100 }),
  nameMax: integer(200, 'Longest file name, in code points; longer names are cut', { min: 16, max: 1000 }),
  linkLifetime: duration(
    '1h',
    'Longest time that the signed URLs in messages are valid; the shortest is three quarters of it',
    { minMs: 4000 },
  ),
  orphanLifetime: duration('24h', 'Time after which an upload is deleted unless a message names it', { minMs: 1000 }),
  sweepInterval: duration('30s', 'Interval at which files that are owed a deletion are deleted', { minMs: 50 }),
  pixelsMax: integer(50_000_000, 'Pixels of the largest picture, over all frames of an animation', { min: 1 }),
  picturesAtOnce: integer(2, 'Pictures that one instance decodes at once', { min: 1, max: 64 }),
  picturesWaitingMax: integer(200, 'Pictures that wait to be decoded; more get 503', { min: 1 }),
  pictureTimeout: duration('20s', 'Longest time to decode and encode one picture', { minMs: 100 }),
  s3: {
    endpoint: optional('URL of an S3-compatible store; if not set, files are in uploads.dir', {
      pattern: httpUrl,
      expected: 'an http(s) URL',
    }),
    region: text('us-east-1', 'Region of the bucket'),
    bucket: text('parley', 'Name of the bucket'),
    accessKeyId: optional('Access key', { secret: true }),
    secretAccessKey: optional('Secret of the access key', { secret: true }),
    pathStyle: flag(true, 'Whether the bucket is in the path of URLs, not in the host name'),
    timeout: duration('30s', 'Longest request to the store', { minMs: 100 }),
    attemptsMax: integer(3, 'Attempts of a request to the store', { min: 1, max: 10 }),
    connectionsMax: integer(100, 'Open connections to the store', { min: 1 }),
  },
  scan: {
    clamd: optional('Address of a virus scanner that every file must pass, such as 127.0.0.1:3310', {
      pattern: /^(?:[\w.-]+|\[[\da-f:.]+\]):\d{1,5}$/i,
      expected: 'host:port of a clamd',
    }),
    timeout: duration('30s', 'Longest scan of one file', { minMs: 100 }),
  },
} as const;
