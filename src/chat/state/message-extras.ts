/**
 * The parts of a message that most messages do not have. They come from tables of their own, and are read only for
 * messages whose marks say so: message-marks.ts, extras-loader.ts.
 */
import { type Static, Type } from 'typebox';
import { Nullable, named, PublicUser, Time, Uuid } from '../../http/input/schemas.ts';

export const ThreadShape = named(
  'ThreadSummary',
  Type.Object(
    {
      replyCount: Type.Integer(),
      lastReplyAt: Nullable(Time),
      userIds: Type.Array(Uuid, { description: 'Of the five people who wrote in the thread last, newest first' }),
      lastSeq: Type.Integer({
        description: 'Of the newest message that is counted here. Events up to it change nothing in this summary',
      }),
    },
    { description: 'The thread that this message starts' },
  ),
);

export const ReactionShape = named(
  'Reaction',
  Type.Object({
    emoji: Type.String({ description: 'An emoji, or `:name:` of a custom emoji' }),
    count: Type.Integer(),
    userIds: Type.Array(Uuid, { description: 'Of the first 20 people' }),
  }),
);

export const AttachmentShape = named(
  'Attachment',
  Type.Object({
    id: Uuid,
    name: Type.String(),
    type: Type.String({ description: 'Media type, by the content of the file' }),
    size: Type.Integer({ description: 'Bytes' }),
    width: Nullable(Type.Integer({ description: 'Pixels' })),
    height: Nullable(Type.Integer({ description: 'Pixels' })),
    blurhash: Nullable(Type.String({ description: 'A placeholder of the picture: https://blurha.sh' })),
    thumbnailUrl: Nullable(Type.String({ description: 'Signed, for `uploads.linkLifetime`' })),
    url: Type.String({ description: 'Signed, for `uploads.linkLifetime`' }),
  }),
);

export const ForwardedShape = named(
  'Forwarded',
  Type.Object(
    {
      sender: PublicUser,
      createdAt: Time,
      comment: Type.Optional(
        Type.Object(
          { text: Type.String(), html: Type.String() },
          {
            description:
              'What the person who forwarded the message added. `text` and `html` of the message begin with it, and quote the copy below',
          },
        ),
      ),
    },
    { description: 'Who wrote the message that was forwarded, and when' },
  ),
);

export const PollShape = named(
  'Poll',
  Type.Object({
    question: Type.String(),
    options: Type.Array(Type.String()),
    multiple: Type.Boolean({ description: 'Several options may be chosen' }),
    anonymous: Type.Boolean({ description: 'The results hold no user ids' }),
    closesAt: Nullable(Time),
    closedAt: Nullable(Time),
    results: Type.Array(Type.Object({ count: Type.Integer(), userIds: Type.Optional(Type.Array(Uuid)) }), {
      description: 'One for each option, in their order',
    }),
    own: Type.Optional(
      Type.Array(Type.Integer(), { description: 'The options that the caller has chosen. In REST answers only' }),
    ),
  }),
);

export const PreviewShape = named(
  'Preview',
  Type.Object({
    url: Type.String(),
    title: Nullable(Type.String()),
    description: Nullable(Type.String()),
    siteName: Nullable(Type.String()),
    imageUrl: Nullable(Type.String({ description: 'Signed, for `uploads.linkLifetime`' })),
  }),
);

export const MentionsAll = Type.Union([Type.Literal('here'), Type.Literal('room')]);

/** In this order in a message's JSON. */
export const MessageExtrasShape = {
  threadId: Nullable(Uuid),
  thread: Nullable(ThreadShape),
  mentionsAll: Nullable(MentionsAll),
  attachments: Type.Array(AttachmentShape),
  reactions: Type.Array(ReactionShape),
  pinned: Type.Boolean(),
  alsoInRoom: Type.Optional(
    Type.Literal(true, { description: 'A message of a thread that is in the history of the room as well' }),
  ),
  forwarded: Type.Optional(ForwardedShape),
  poll: Type.Optional(PollShape),
  previews: Type.Optional(Type.Array(PreviewShape)),
  streaming: Type.Optional(Type.Literal(true, { description: 'The message is still being written' })),
  interrupted: Type.Optional(Type.Literal(true, { description: 'Its writer fell silent before the end' })),
};

const ExtrasObject = Type.Object(MessageExtrasShape);

export type ThreadSummary = Static<typeof ThreadShape>;
export type Reaction = Static<typeof ReactionShape>;
export type Attachment = Static<typeof AttachmentShape>;
export type Forwarded = Static<typeof ForwardedShape>;
export type Poll = Static<typeof PollShape>;
export type Preview = Static<typeof PreviewShape>;
export type MessageExtras = Readonly<Static<typeof ExtrasObject>>;

/** Of a plain message: the one object that all of them share, so that its JSON is made once. */
export const noExtras: MessageExtras = Object.freeze({
  threadId: null,
  thread: null,
  mentionsAll: null,
  attachments: [],
  reactions: [],
  pinned: false,
});

/** A poll as nobody has voted in it yet, nor closed it. */
export function unvoted({ own: _own, ...poll }: Poll): Poll {
  const results = poll.options.map(() => (poll.anonymous ? { count: 0 } : { count: 0, userIds: [] }));
  return { ...poll, closedAt: null, results };
}

/** Brings the parts into the order of their JSON. */
export function toExtras(parts: Partial<MessageExtras>): MessageExtras {
  const {
    threadId = null,
    thread = null,
    mentionsAll = null,
    attachments = [],
    reactions = [],
    pinned = false,
  } = parts;
  const { alsoInRoom, forwarded, poll, previews, streaming, interrupted } = parts;
  return {
    ...{ threadId, thread, mentionsAll, attachments, reactions, pinned },
    ...(alsoInRoom ? { alsoInRoom } : {}),
    ...(forwarded ? { forwarded } : {}),
    ...(poll ? { poll } : {}),
    ...(previews && previews.length > 0 ? { previews } : {}),
    ...(streaming ? { streaming } : {}),
    ...(interrupted ? { interrupted } : {}),
  };
}

/** Of a deleted message, which keeps its place in its thread, and the thread that it starts. */
export function tombstoneExtras({ threadId, thread, alsoInRoom }: MessageExtras): MessageExtras {
  return toExtras({ threadId, thread, ...(alsoInRoom ? { alsoInRoom } : {}) });
}

const noExtrasJson = JSON.stringify(noExtras).slice(1, -1);

/** The members of the JSON object, without the braces. */
export function extrasJson(extras: MessageExtras): string {
  return extras === noExtras ? noExtrasJson : JSON.stringify(extras).slice(1, -1);
}
