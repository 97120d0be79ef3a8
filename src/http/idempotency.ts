/** `Idempotency-Key` on creating requests: the first answer is kept and repeated. */
import { createHash } from 'node:crypto';
import { and, eq } from 'drizzle-orm';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Database } from '../database/connect.ts';
import { idempotencyKeys } from '../database/tables.ts';
import { Failure, invalid } from '../errors.ts';

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

export interface IdempotencyKeys {
  /**
   * Works once per user and key. Without the header it simply works.
   * @throws Failure `conflict` when the key came with another request, or while the first one is still worked on
   */
  readonly answer: (
    request: FastifyRequest,
    reply: FastifyReply,
    userId: string,
    work: () => Promise<Answer>,
    /** What of the body is kept for repeats; secrets that are shown once are not. */
    keep?: (body: unknown) => unknown,
  ) => Promise<never>;
}

/** While a request is worked on its key is held with this status. */
const working = 0;

export function createIdempotencyKeys(db: Database): IdempotencyKeys {
  async function answer(
    request: FastifyRequest,
    reply: FastifyReply,
    userId: string,
    work: () => Promise<Answer>,
    keep: (body: unknown) => unknown = (body) => body,
  ): Promise<never> {
    const key = request.headers['idempotency-key'];
    if (key === undefined) return send(reply, await work());
    if (typeof key !== 'string' || !/^[\x21-\x7e]{1,200}$/.test(key))
      throw invalid('/headers/idempotency-key', '1 to 200 visible characters');
    const requestHash = createHash('sha256')
      .update(`${request.method} ${request.url}\n${JSON.stringify(request.body ?? null)}`)
      .digest();
    const held = await db
      .insert(idempotencyKeys)
      .values({ userId, key, requestHash, status: working })
      .onConflictDoNothing()
      .returning({ key: idempotencyKeys.key });
    const own = and(eq(idempotencyKeys.userId, userId), eq(idempotencyKeys.key, key));
    if (held.length === 0) return send(reply, await firstAnswer(own, requestHash));
    try {
      const done = await work();
      await db
        .update(idempotencyKeys)
        .set({ status: done.status, body: keep(done.body) })
        .where(own);
      return send(reply, done);
    } catch (error) {
      // What was refused leaves the key free.
      await db.delete(idempotencyKeys).where(own);
      throw error;
    }
  }

  async function firstAnswer(own: ReturnType<typeof and>, requestHash: Buffer): Promise<Answer> {
    const [first] = await db.select().from(idempotencyKeys).where(own);
    if (!first || first.status === working)
      throw new Failure('conflict', 'the first request with this key is still worked on', { retryAfterMs: 1000 });
    if (!first.requestHash.equals(requestHash)) throw new Failure('conflict', 'this key was used for another request');
    return { status: first.status, body: first.body };
  }

  return { answer };
}

function send(reply: FastifyReply, { status, body }: Answer): never {
  return reply.code(status).send(body) as never;
}
