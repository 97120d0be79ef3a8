/** `Idempotency-Key` of requests that create something: repeats get the first response. */
import { createHash } from 'node:crypto';
import { and, eq, sql } from 'drizzle-orm';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import type { Database } from '../database/connect.ts';
import { newId } from '../database/new-id.ts';
import { idempotencyKeys } from '../database/tables/request-tables.ts';
import { Failure, invalid } from '../errors.ts';

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

export interface IdempotencyKeys {
  /**
   * Runs `work` once per user and key; without the header every time.
   * @throws Failure `conflict` if the key was used for another request, or while the first one is still running
   */
  readonly answer: (
    request: FastifyRequest,
    reply: FastifyReply,
    userId: string,
    work: () => Promise<Answer>,
  ) => Promise<never>;
  /**
   * Creates one thing per user and key, even across a crash: its id is generated once and stored with the key.
   * @param work creates the thing with this id, or returns the existing one; it may run more than once, even at the same time
   * @throws Failure `conflict` if the key was used for another request
   */
  readonly create: (
    request: FastifyRequest,
    reply: FastifyReply,
    userId: string,
    work: (id: string) => Promise<Answer>,
  ) => Promise<never>;
}

export interface IdempotencySettings {
  /** Time that a key is stored, milliseconds. */
  readonly idempotencyKeep: number;
}

/** The status of a key whose request is still running. */
const working = 0;
/** Interval of deletions of old keys, and keys per deletion. */
const sweepPauseMs = 60_000;
const sweepMax = 1000;

export function createIdempotencyKeys({
  db,
  logger,
  settings,
}: {
  db: Database;
  logger: Logger;
  settings: IdempotencySettings;
}): IdempotencyKeys {
  let sweptAt = performance.now();
  const isOld = sql`${idempotencyKeys.createdAt} < now() - ${settings.idempotencyKeep} * interval '1 millisecond'`;

  /** Deletes old keys in the background of a request. */
  function sweep(): void {
    if (performance.now() - sweptAt < sweepPauseMs) return;
    sweptAt = performance.now();
    const old = sql`select ctid from idempotency_keys where ${isOld} limit ${sweepMax}`;
    db.execute(sql`delete from idempotency_keys where ctid = any(array(${old}))`).catch((error: unknown) =>
      logger.debug({ error }, 'the deletion of old idempotency keys failed and is tried again later'),
    );
  }

  /** @returns undefined without the header */
  function readKey(request: FastifyRequest): { key: string; requestHash: Buffer } | undefined {
    const key = request.headers['idempotency-key'];
    if (key === undefined) return undefined;
    if (typeof key !== 'string' || !/^[\x21-\x7e]{1,200}$/.test(key))
      throw invalid('/idempotency-key', '1 to 200 visible characters');
    sweep();
    const requestHash = createHash('sha256')
      .update(`${request.method} ${request.url}\n${JSON.stringify(request.body ?? null)}`)
      .digest();
    return { key, requestHash };
  }

  async function create(
    request: FastifyRequest,
    reply: FastifyReply,
    userId: string,
    work: (id: string) => Promise<Answer>,
  ): Promise<never> {
    const id = newId();
    const read = readKey(request);
    if (!read) return send(reply, await work(id));
    const { key, requestHash } = read;
    const held = await hold({ userId, key, requestHash, body: { id } });
    if (!held) return send(reply, await work(await firstId(ownKey(userId, key), requestHash)));
    try {
      return send(reply, await work(id));
    } catch (error) {
      // A definite refusal frees the key. After any other error the id stays reserved, so that it is created once.
      if (error instanceof Failure && !error.kind.retryable)
        await db.delete(idempotencyKeys).where(ownKey(userId, key));
      throw error;
    }
  }

  async function firstId(own: ReturnType<typeof and>, requestHash: Buffer): Promise<string> {
    const [first] = await db.select().from(idempotencyKeys).where(own);
    if (!first) throw new Failure('unavailable', 'the first request was refused just now', { retryAfterMs: 100 });
    if (!first.requestHash.equals(requestHash)) throw new Failure('conflict', 'this key was used for another request');
    return (first.body as { id: string }).id;
  }

  const ownKey = (userId: string, key: string) => and(eq(idempotencyKeys.userId, userId), eq(idempotencyKeys.key, key));

  /** @returns whether the key was free, or its earlier use is older than `idempotencyKeep` */
  async function hold(row: { userId: string; key: string; requestHash: Buffer; body?: unknown }): Promise<boolean> {
    const held = await db
      .insert(idempotencyKeys)
      .values({ ...row, status: working })
      .onConflictDoUpdate({
        target: [idempotencyKeys.userId, idempotencyKeys.key],
        set: { requestHash: row.requestHash, status: working, body: row.body ?? null, createdAt: sql`now()` },
        setWhere: isOld,
      })
      .returning({ key: idempotencyKeys.key });
    return held.length > 0;
  }

  async function answer(
    request: FastifyRequest,
    reply: FastifyReply,
    userId: string,
    work: () => Promise<Answer>,
  ): Promise<never> {
    const read = readKey(request);
    if (!read) return send(reply, await work());
    const { key, requestHash } = read;
    const own = ownKey(userId, key);
    if (!(await hold({ userId, key, requestHash }))) return send(reply, await firstAnswer(own, requestHash));
    try {
      const done = await work();
      await db.update(idempotencyKeys).set({ status: done.status, body: done.body }).where(own);
      return send(reply, done);
    } catch (error) {
      // A refusal frees the key.
      await db.delete(idempotencyKeys).where(own);
      throw error;
    }
  }

  async function firstAnswer(own: ReturnType<typeof and>, requestHash: Buffer): Promise<Answer> {
    const [first] = await db.select().from(idempotencyKeys).where(own);
    if (!first || first.status === working)
      throw new Failure('conflict', 'the first request with this key is still running', { retryAfterMs: 1000 });
    if (!first.requestHash.equals(requestHash)) throw new Failure('conflict', 'this key was used for another request');
    return { status: first.status, body: first.body };
  }

  return { answer, create };
}

function send(reply: FastifyReply, { status, body }: Answer): never {
  return reply.code(status).send(body) as never;
}
