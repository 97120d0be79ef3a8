/** Schemas that many routes share. */
import { type TSchema, Type } from 'typebox';

/** One spelling for each id: everything that compares them compares texts. */
const uuidPattern = '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$';
export const Uuid = Type.String({ format: 'uuid', pattern: uuidPattern });
const uuid = new RegExp(uuidPattern);
export const isUuid = (text: string): boolean => uuid.test(text);
/** An object whose keys are ids. */
export const ByUuid = <Schema extends TSchema>(schema: Schema) =>
  Type.Record(Type.String({ pattern: uuidPattern }), schema, { additionalProperties: false });
/** RFC 3339, UTC, milliseconds. */
export const Time = Type.String({ format: 'date-time' });
export const Nullable = <Schema extends Parameters<typeof Type.Union>[0][number]>(schema: Schema) =>
  Type.Union([schema, Type.Null()]);
export const Limit = Type.Integer({ minimum: 1, maximum: 100, default: 50 });
/** The longest holds a room's name, each of whose characters may take six. */
export const Cursor = Type.String({ minLength: 1, maxLength: 4096 });
/** What Postgres can store: neither NUL nor half a surrogate pair. */
export const StorableText = (options: { readonly minLength: number; readonly maxLength: number }) =>
  Type.String({ ...options, pattern: '^[^\\u0000\\ud800-\\udfff]*$' });
/** Of a picture. */
export const PictureUrl = Type.String({
  pattern: '^https://[^\\s\\u0000-\\u001f\\u007f\\ud800-\\udfff"\'<>\\\\]+$',
  maxLength: 2048,
});
export const ClientId = Type.String({
  minLength: 1,
  maxLength: 64,
  // Postgres stores neither NUL nor half a surrogate pair, and two keys must not become one.
  pattern: '^[^\\u0000-\\u001f\\u007f\\ud800-\\udfff]*$',
  description: 'The sender’s key. A repeat with the same key and content gets the first response',
});
/** A seq; positions of clients may be any whole number, and odd ones are answered, not stored. */
export const Seq = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });

export const Problem = named(
  'Problem',
  Type.Object(
    {
      type: Type.String(),
      title: Type.String(),
      status: Type.Integer(),
      detail: Type.String(),
      code: Type.String(),
      errors: Type.Optional(Type.Array(Type.Object({ path: Type.String(), message: Type.String() }))),
      retryAfterMs: Type.Optional(Type.Integer()),
    },
    { additionalProperties: true, description: 'RFC 9457 problem details' },
  ),
);

const problem = {
  description: 'RFC 9457 problem details',
  content: { 'application/problem+json': { schema: Problem } },
} as const;

export const PublicUser = named(
  'User',
  Type.Object({
    id: Uuid,
    username: Type.String(),
    displayName: Type.String(),
    avatarUrl: Nullable(Type.String()),
  }),
);

/** Names a schema: it is one of the named schemas of the OpenAPI document, and a type of generated clients. */
export function named<Schema extends TSchema>(title: string, schema: Schema): Schema {
  return Object.assign(schema, { title });
}

/** A body or a query with exactly these fields. Unknown fields are refused. */
export function exactly<Properties extends Parameters<typeof Type.Object>[0]>(properties: Properties) {
  return Type.Object(properties, { additionalProperties: false });
}

/** The query of a list without filters. */
export const PageQuery = exactly({ limit: Type.Optional(Limit), cursor: Type.Optional(Cursor) });

/** The headers of requests that create something: a repeat with the same key creates nothing new. */
export const IdempotencyHeaders = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({
      pattern: '^[\\x21-\\x7e]{1,200}$',
      description: 'A repeat of the request with the same key creates nothing new',
    }),
  ),
});

/** `{ items, nextCursor }`, the shape of every list. */
export function listOf<Schema extends Parameters<typeof Type.Array>[0]>(schema: Schema) {
  const list = Type.Object({ items: Type.Array(schema), nextCursor: Nullable(Type.String()) });
  const { title } = schema as { title?: string };
  return title === undefined ? list : named(`${title}List`, list);
}

/** The responses of a route: its success, and a problem for everything else. */
export function answers<Schema>(status: number, schema: Schema) {
  return { [status]: schema, '4xx': problem, '5xx': problem };
}

/** The responses of an HTML page. */
export const htmlAnswers = {
  200: { description: 'An HTML page', content: { 'text/html': { schema: Type.String() } } },
  '4xx': problem,
  '5xx': problem,
} as const;

/** The responses of a route that redirects the browser. */
export const redirectAnswers = {
  302: Type.Null({ description: 'Redirect to the URL in Location' }),
  '4xx': problem,
  '5xx': problem,
};
