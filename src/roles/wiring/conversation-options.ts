/** What the features of a conversation are built from, and what each of them brings. */
import type { Contact } from '../../chat/membership/contact.ts';
import type { App } from '../../http/server/app-type.ts';
import type { RoomTasks } from '../../jobs/runner/tasks.ts';
import type { FrameHandlers } from '../../realtime/gateway/frame-handlers.ts';
import type { Profiles } from '../../user/profile/profiles.ts';
import type { RoleContext } from '../lifecycle/role-lifecycle.ts';
import type { CallerWiring } from './caller-wiring.ts';
import type { ChatConnections } from './chat-connections.ts';
import type { ChatMetrics } from './chat-metrics.ts';
import type { Cluster } from './cluster-wiring.ts';
import type { JudgeWiring } from './judge-wiring.ts';
import type { MessageParts } from './message-parts.ts';
import type { MessageWiring } from './message-wiring.ts';
import type { RoomWiring } from './room-wiring.ts';

export interface ConversationOptions extends Pick<RoleContext, 'config' | 'logger' | 'outages'> {
  readonly publicUrl: string;
  readonly connections: ChatConnections;
  readonly cluster: Cluster;
  readonly rooms: RoomWiring;
  readonly messages: MessageWiring;
  readonly callers: CallerWiring;
  readonly profiles: Profiles;
  readonly contact: Contact;
  readonly judge: JudgeWiring;
  readonly parts: MessageParts;
  readonly metrics: ChatMetrics;
}

/** What one feature brings. */
export interface Feature {
  /** Registers its routes under `/v1`. */
  readonly routes?: (v1: App) => Promise<void>;
  readonly frames?: FrameHandlers;
  /** The jobs that change rooms: see jobs/room-jobs.ts. */
  readonly tasks?: Partial<RoomTasks>;
  readonly stop?: () => Promise<void>;
}
