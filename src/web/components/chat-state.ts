/** What the views draw. Parts of the store change it; nobody else does. */
import type {
  CustomEmoji,
  CustomStatus,
  Message,
  OwnRoom,
  ParleyClient,
  Presence,
  RoomStore,
  SocketState,
} from '../../client/parley-client.ts';
import type { UnsentByRoom } from './unsent-messages.ts';

/** A range of a room's history that is complete. */
export interface RoomView {
  /** Seqs of the range; `to` is infinite where it reaches the newest message. */
  readonly from: number;
  readonly to: number;
  readonly messages: readonly Message[];
  readonly hasOlder: boolean;
  readonly loading: boolean;
  /** Why the last attempt to load messages failed, in words; empty when it did not. */
  readonly problem: string;
}

/** The thread that is open beside a room. */
export interface ThreadView {
  readonly roomId: string;
  /** The id of the message that starts it. */
  readonly threadId: string;
  readonly from: number;
  readonly hasOlder: boolean;
  readonly loading: boolean;
  readonly problem: string;
}

export interface ChatState {
  readonly rooms: ReadonlyMap<string, OwnRoom>;
  /** What is known of each room. */
  readonly stores: ReadonlyMap<string, RoomStore>;
  readonly views: ReadonlyMap<string, RoomView>;
  readonly thread: ThreadView | undefined;
  /** Of a bookmark; undefined: none is shown. */
  readonly reminder: { readonly roomId: string; readonly messageId: string; readonly note: string } | undefined;
  /** The message that a link led to. */
  readonly pointed: string | undefined;
  readonly unsent: UnsentByRoom;
  /** Ids of the messages that are being edited. */
  readonly edited: ReadonlySet<string>;
  /** By room: the names of people who are writing, by user id. */
  readonly typing: ReadonlyMap<string, ReadonlyMap<string, string>>;
  /** By user id: the people of the open room, as far as they are known. */
  readonly presence: ReadonlyMap<string, Presence>;
  /** Their custom statuses, by user id. */
  readonly statuses: ReadonlyMap<string, CustomStatus | null>;
  readonly customEmojis: readonly CustomEmoji[];
  readonly socket: SocketState;
  readonly ready: boolean;
  /** Characters (code points) of a message, as the server says. */
  readonly messageLengthMax: number;
}

export const emptyChat: ChatState = {
  rooms: new Map(),
  stores: new Map(),
  views: new Map(),
  thread: undefined,
  reminder: undefined,
  pointed: undefined,
  unsent: new Map(),
  edited: new Set(),
  typing: new Map(),
  presence: new Map(),
  statuses: new Map(),
  customEmojis: [],
  socket: { name: 'off' },
  ready: false,
  // The default of `message.maxLength`, until the welcome brings the setting.
  messageLengthMax: 8000,
};

export const emptyView: RoomView = {
  from: Number.POSITIVE_INFINITY,
  to: Number.POSITIVE_INFINITY,
  messages: [],
  hasOlder: true,
  loading: false,
  problem: '',
};

/** What the parts of the store share. */
export interface ChatHolder {
  readonly state: ChatState;
  readonly client: ParleyClient;
  readonly set: (change: Partial<ChatState>) => void;
}
