/**
 * The AsyncAPI description of the WebSocket at `/asyncapi.json`, from the same schemas that check the frames of clients.
 * @see https://www.asyncapi.com/docs/reference/specification/v3.0.0
 */
import {
  durableEvents,
  ephemeralFrames,
  eventSchemas,
  frameSchemas,
  pascalCase,
} from '../../chat/state/event-schemas.ts';
import { completeSchemas } from '../../http/server/api-document.ts';
import type { App } from '../../http/server/app-type.ts';
import { exampleOf } from '../../http/server/schema-example.ts';
import type { FrameHandlers } from '../../realtime/gateway/frame-handlers.ts';
import { helloSchema } from '../../realtime/gateway/hello-handshake.ts';

interface Message {
  readonly name: string;
  readonly summary: string;
  readonly payload: unknown;
}

const answers: readonly Message[] = [
  {
    name: 'welcome',
    summary: 'Answers `hello`: the user, the rooms and the log. Replays and `resumed` follow',
    payload: answerSchema('welcome', {
      user: {},
      sessionId: {},
      logId: { type: 'string' },
      rooms: { type: 'array', items: {} },
      blockedIds: { type: 'array', items: { type: 'string' } },
    }),
  },
  {
    name: 'ack',
    summary: 'Answers a frame that was carried out. A sent message is durable before its ack',
    payload: answerSchema('ack', {}),
  },
  {
    name: 'error',
    summary: 'Answers a frame that was refused',
    payload: answerSchema('error', {
      code: { type: 'string' },
      message: { type: 'string' },
      retryAfterMs: { type: 'integer' },
    }),
  },
];

function answerSchema(type: string, properties: Readonly<Record<string, unknown>>) {
  const id = { type: ['string', 'number'], description: 'Of the frame that is answered' };
  return { type: 'object', properties: { type: { const: type }, id, ...properties }, required: ['type'] };
}

/** @param handlers of all frames but `hello` */
export function describeSocket(handlers: FrameHandlers, version: string): Readonly<Record<string, unknown>> {
  const fromClients: readonly Message[] = [
    { name: 'hello', summary: 'The first frame: the token, and where to resume', payload: helloSchema },
    ...Object.entries(handlers).map(([name, { schema, summary }]) => ({ name, summary, payload: schema })),
  ];
  const fromServer: readonly Message[] = [
    ...answers,
    ...Object.entries(durableEvents).map(([name, { text }]) => ({ name, summary: text, payload: eventSchemas[name] })),
    ...Object.entries(ephemeralFrames).map(([name, { text }]) => ({
      name,
      summary: text,
      payload: frameSchemas[name],
    })),
  ];
  const { value, schemas } = completeSchemas([...fromClients, ...fromServer].map(({ payload }) => payload));
  const payloads = value as readonly unknown[];
  const messages = Object.fromEntries(
    [...fromClients, ...fromServer].map(({ name, summary }, at) => {
      const example = { payload: { ...(exampleOf(payloads[at], schemas) as object), type: name } };
      return [pascalCase(name), { name, title: name, summary, payload: payloads[at], examples: [example] }];
    }),
  );
  const refs = (of: readonly Message[], where: string) =>
    of.map(({ name }) => ({ $ref: `${where}/${pascalCase(name)}` }));
  const channel = { $ref: '#/channels/socket' };
  return {
    asyncapi: '3.0.0',
    info: { title: 'Parley, live', version, description: 'Frames are JSON objects, one in each text message.' },
    servers: { parley: { host: 'localhost:8080', protocol: 'ws' } },
    channels: {
      socket: {
        address: '/v1/ws',
        description: 'Subprotocol `parley.v1`. Every frame of a client is answered once, with the same id.',
        messages: Object.fromEntries(
          Object.keys(messages).map((name) => [name, { $ref: `#/components/messages/${name}` }]),
        ),
      },
    },
    operations: {
      receive: { action: 'receive', channel, messages: refs(fromClients, '#/channels/socket/messages') },
      send: { action: 'send', channel, messages: refs(fromServer, '#/channels/socket/messages') },
    },
    components: { messages, schemas },
  };
}

export function addSocketDescription(app: App, handlers: FrameHandlers, version: string): void {
  let document: unknown;
  app.get('/asyncapi.json', { config: { rateLimit: false }, schema: { hide: true } }, async () => {
    document ??= describeSocket(handlers, version);
    return document;
  });
}
