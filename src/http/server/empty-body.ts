/**
 * Accepts a content type without a body, because many clients set `content-type: application/json` on every call, including
 * DELETE. A route that needs a body refuses such a request by its schema.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';

/** As RFC 9112 section 6.3 says: neither a length nor chunks. */
function declaresNone({ headers }: FastifyRequest): boolean {
  const { 'content-length': length = '0', 'transfer-encoding': encoding } = headers;
  return encoding === undefined && Number(length) === 0;
}

export function takeEmptyBodies(app: FastifyInstance): void {
  app.addHook('onRequest', (request, _reply, done) => {
    if (declaresNone(request)) delete request.raw.headers['content-type'];
    done();
  });
  // Chunks may turn out to be none.
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeContentTypeParser('application/json');
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, undefined);
    else void parse(request, body as string, done);
  });
}
