import { Compile } from 'typebox/compile';
import { beforeAll, describe, expect, test } from 'vitest';
import { type SharedParley, useSharedParley } from '../harness/shared-parley.ts';
import { createRoom, mustCall, signUp } from '../harness/test-client.ts';

interface Operation {
  readonly operationId?: string;
  readonly summary?: string;
  readonly description?: string;
  readonly tags?: readonly string[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly content?: Content }>>;
}
type Content = Readonly<Record<string, { readonly schema: object; readonly example?: unknown }>>;
interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
}

let parley: SharedParley;
let document: Document;
let operations: { readonly name: string; readonly operation: Operation }[];

beforeAll(async () => {
  parley = await useSharedParley();
  document = (await (await fetch(`${parley.url}/openapi.json`)).json()) as Document;
  operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ name: `${method.toUpperCase()} ${path}`, operation })),
  );
});

/** The schema with the named ones beside it, as a validator needs it. */
function whole(schema: object): object {
  const text = JSON.stringify({ ...schema, $defs: document.components.schemas });
  return JSON.parse(text.replaceAll('#/components/schemas/', '#/$defs/')) as object;
}

test('every operation has an id of its own, a summary, a description and a tag', () => {
  const ids = operations.map(({ operation }) => operation.operationId);
  expect(ids.filter((id) => !/^[a-z][A-Za-z]+$/.test(id ?? ''))).toEqual([]);
  expect(ids.filter((id, at) => ids.indexOf(id) !== at)).toEqual([]);
  const lacking = operations.filter(
    ({ operation: { summary, description, tags } }) => !summary || !description || !tags?.length,
  );
  expect(lacking.map(({ name }) => name)).toEqual([]);
});

test('shapes are named schemas, and every reference leads to one', () => {
  const { schemas } = document.components;
  expect(Object.keys(schemas)).toEqual(
    expect.arrayContaining(['Message', 'Room', 'User', 'Problem', 'Member', 'MessagePage', 'Poll', 'Attachment']),
  );
  const targets = JSON.stringify(document).match(/#\/components\/schemas\/\w+/g) ?? [];
  expect(targets.length).toBeGreaterThan(100);
  expect(targets.filter((target) => !Object.hasOwn(schemas, target.split('/').at(-1)!))).toEqual([]);
});

test('every JSON body and answer of a success has an example that fits its schema', () => {
  const wrong: string[] = [];
  for (const { name, operation } of operations) {
    const successes = Object.entries(operation.responses).filter(([status]) => status.startsWith('2'));
    const holders = [['body', operation.requestBody] as const, ...successes];
    for (const [part, holder] of holders) {
      const media = holder?.content?.['application/json'];
      if (!media) continue;
      const errors = [...Compile(whole(media.schema) as never).Errors(media.example)];
      if (errors.length > 0)
        wrong.push(`${name} ${part}: ${JSON.stringify(errors[0])} ${JSON.stringify(media.example)}`);
    }
  }
  expect(wrong).toEqual([]);
});

describe('what the server answers fits the document', () => {
  test.each([
    ['GET', '/v1/users/me', 'OwnUser'],
    ['GET', '/v1/rooms/{roomId}', 'Room'],
    ['GET', '/v1/rooms/{roomId}/messages', 'MessagePage'],
    ['GET', '/v1/rooms/{roomId}/members', 'MemberList'],
    ['GET', '/v1/rooms', 'ListedRoomList'],
  ])('%s %s', async (method, path, schema) => {
    const ana = await signUp(parley.url);
    const room = await createRoom([ana]);
    await mustCall(ana, 'POST', `/v1/rooms/${room}/messages`, { clientId: 'a', text: 'hello' });
    const answer = await mustCall(ana, method, path.replace('{roomId}', room));
    const named = document.components.schemas[schema];
    expect(named, schema).toBeDefined();
    expect([...Compile(whole(named!) as never).Errors(answer)]).toEqual([]);
  });
});
