/** Makes an example of a JSON schema: values that people recognise by the name of their field, and that fit the schema. */

interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly minItems?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly pattern?: string;
  readonly format?: string;
}

const id = '01980f2e-5b1a-7c3d-9e4f-2a6b8c0d1e2f';
const time = '2026-05-04T09:30:00.000Z';

/** By the name of the field. The first that fits the schema is taken. */
const texts: Readonly<Record<string, readonly string[]>> = {
  text: ['Shall we meet at **nine**?'],
  html: ['<p>Shall we meet at <strong>nine</strong>?</p>\n'],
  username: ['ana'],
  displayName: ['Ana Lima'],
  email: ['ana@example.org'],
  login: ['ana'],
  password: ['a long sentence that only Ana knows'],
  name: ['Garden', 'garden'],
  topic: ['What grows, and what does not'],
  emoji: ['👍'],
  url: ['https://example.org/'],
  avatarUrl: ['https://example.org/ana.png'],
  type: ['message.created', 'image/png'],
  clientId: ['c-17'],
  code: ['invalid', '123456'],
  note: ['see the third line'],
  reason: ['an advert'],
  question: ['Where shall we eat?'],
  timeZone: ['Europe/Berlin'],
  role: ['member'],
  cursor: ['WyIyMDI2Il0'],
  accessToken: ['eyJhbGciOiJFUzI1NiJ9.e30.c2ln'],
  token: ['eyJhbGciOiJFUzI1NiJ9.e30.c2ln'],
  refreshToken: ['prt_7Q2n'],
};

/** What other texts may look like, for patterns that none of the above fits. */
const otherTexts = ['example', 'a', id, time, '09:30', 'https://example.org/', '0', '1h', ':example:', 'A'.repeat(43)];

/** @param schemas the named schemas that references lead to */
export function exampleOf(schema: unknown, schemas: Readonly<Record<string, unknown>>, field = ''): unknown {
  const given = resolve(schema as Schema, schemas);
  if (given.const !== undefined) return given.const;
  if (given.enum) return given.enum[0];
  const choices = given.anyOf ?? given.oneOf;
  if (choices) return exampleOf(choices.find((each) => each.type !== 'null') ?? choices[0], schemas, field);
  if (given.allOf) return Object.assign({}, ...given.allOf.map((each) => exampleOf(each, schemas, field)));
  switch (Array.isArray(given.type) ? given.type[0] : given.type) {
    case 'object':
      return exampleObject(given, schemas);
    case 'array':
      return Array.from({ length: Math.max(1, given.minItems ?? 0) }, (_, at) =>
        distinct(exampleOf(given.items ?? {}, schemas, singular(field)), at),
      );
    case 'integer':
    case 'number':
      return exampleNumber(given, field);
    case 'boolean':
      return true;
    case 'null':
      return null;
    case 'string':
      return exampleText(given, field);
    default:
      return {};
  }
}

function resolve(schema: Schema, schemas: Readonly<Record<string, unknown>>): Schema {
  const name = schema.$ref?.split('/').at(-1);
  return name === undefined ? schema : (schemas[name] as Schema);
}

function exampleObject({ properties = {}, patternProperties }: Schema, schemas: Readonly<Record<string, unknown>>) {
  const fields = Object.entries(properties).map(([name, each]) => [name, exampleOf(each, schemas, name)]);
  const [pattern] = Object.values(patternProperties ?? {});
  if (pattern) fields.push([id, exampleOf(pattern, schemas)]);
  return Object.fromEntries(fields);
}

function exampleNumber({ default: usual, minimum, maximum }: Schema, field: string): number {
  if (typeof usual === 'number') return usual;
  const wanted = /seq$/i.test(field) ? 42 : 3;
  return Math.min(Math.max(wanted, minimum ?? wanted), maximum ?? wanted);
}

function exampleText(schema: Schema, field: string): string {
  if (schema.format === 'uuid') return id;
  if (schema.format === 'date-time') return time;
  const fits = new RegExp(schema.pattern ?? '', 'u');
  const candidates = [...(texts[field] ?? []), ...otherTexts];
  return candidates.find((each) => fits.test(each) && each.length >= (schema.minLength ?? 0)) ?? 'example';
}

function singular(field: string): string {
  return field.replace(/ies$/, 'y').replace(/s$/, '');
}

/** The values of a list may have to differ. */
function distinct(value: unknown, at: number): unknown {
  return at > 0 && typeof value === 'string' ? `${value} ${at + 1}` : value;
}
