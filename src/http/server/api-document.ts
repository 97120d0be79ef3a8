/**
 * Makes the OpenAPI document usable for generators: schemas with a title become named schemas of `components`, and every
 * body and answer gets an example that fits its schema.
 */
import { exampleOf } from './schema-example.ts';

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
type JsonObject = { readonly [key: string]: Json };

/** A name of a schema: `Message`, `QueueEntry`. Other titles are texts for people. */
const namePattern = /^[A-Z][A-Za-z0-9]+$/;

/**
 * @param document as the routes describe it
 * @throws Error if two different schemas have the same name
 */
export function completeDocument(document: unknown): JsonObject {
  const named = new Map<string, Json>();
  // Symbols and functions of the schema library are no part of JSON.
  const plain = JSON.parse(JSON.stringify(document)) as JsonObject;
  const paths = nameSchemas(plain.paths as Json, named) as JsonObject;
  const schemas = Object.fromEntries([...named].sort(([left], [right]) => (left < right ? -1 : 1)));
  const components = { ...(plain.components as JsonObject), schemas };
  return { ...plain, paths: addExamples(paths, schemas), components };
}

/** The same for schemas outside of an OpenAPI document. */
export function completeSchemas(schemas: unknown): { readonly value: Json; readonly schemas: JsonObject } {
  const named = new Map<string, Json>();
  const value = nameSchemas(JSON.parse(JSON.stringify(schemas)) as Json, named);
  return { value, schemas: Object.fromEntries([...named].sort(([left], [right]) => (left < right ? -1 : 1))) };
}

/** Replaces each named schema by a reference, innermost first. */
function nameSchemas(value: Json, named: Map<string, Json>): Json {
  if (Array.isArray(value)) return value.map((each) => nameSchemas(each, named));
  if (!isObject(value)) return value;
  const inner = Object.fromEntries(Object.entries(value).map(([key, each]) => [key, nameSchemas(each, named)]));
  const { title } = inner;
  if (typeof title !== 'string' || !namePattern.test(title)) return inner;
  const known = named.get(title);
  if (known !== undefined && JSON.stringify(known) !== JSON.stringify(inner))
    throw new Error(`two schemas have the name ${title}`);
  named.set(title, inner);
  return { $ref: `#/components/schemas/${title}` };
}

/** Adds an example to each JSON body and answer of a success. */
function addExamples(paths: JsonObject, schemas: JsonObject): JsonObject {
  const complete = (content: Json | undefined): Json => {
    const media = (content as JsonObject | undefined)?.['application/json'];
    if (!isObject(media) || media.schema === undefined || 'example' in media) return content ?? {};
    const example = exampleOf(media.schema, schemas) as Json;
    return { ...(content as JsonObject), 'application/json': { ...media, example } };
  };
  const withContent = (holder: Json): Json =>
    isObject(holder) && holder.content !== undefined ? { ...holder, content: complete(holder.content) } : holder;
  const ofOperation = (operation: Json): Json => {
    if (!isObject(operation)) return operation;
    const responses = Object.entries((operation.responses ?? {}) as JsonObject).map(
      ([status, response]): [string, Json] => [status, status.startsWith('2') ? withContent(response) : response],
    );
    const body: JsonObject = operation.requestBody ? { requestBody: withContent(operation.requestBody) } : {};
    return { ...operation, ...body, responses: Object.fromEntries(responses) };
  };
  return mapValues(paths, (path) => mapValues(path as JsonObject, ofOperation));
}

function mapValues(object: JsonObject, change: (value: Json) => Json): JsonObject {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value)]));
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
