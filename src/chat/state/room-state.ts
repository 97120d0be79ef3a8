/**
 * What a room's log adds up to: its settings and members, as of a position. Held in memory by every instance that
 * uses the room and advanced only by log events in seq order, so authority is a question of seq and not of time:
 * an append at position + 1 succeeds only if nobody's event, a removal for instance, came in between.
 */
import { Failure } from '../../errors.ts';
import { type DeploymentRole, type MemberRole, may, type RoomAction, type Standing } from '../../permissions.ts';
import type { FeedEvent, FeedState, ReaderChange } from '../../realtime/feed/feed.ts';

export interface RoomSettings {
  readonly id: string;
  readonly kind: 'room' | 'dm';
  readonly name: string;
  readonly topic: string;
  readonly visibility: 'public' | 'private';
  readonly history: 'all' | 'joined';
  readonly slowModeSeconds: number;
  /** RFC 3339. */
  readonly createdAt: string;
}

export interface MemberState {
  readonly role: MemberRole;
  readonly joinedSeq: number;
  /** Milliseconds since the epoch by Postgres' clock; 0: not muted. */
  readonly mutedUntil: number;
}

/** A caller as rooms see them. */
export interface Actor {
  readonly userId: string;
  readonly role: DeploymentRole;
  /** Of a host application's token, milliseconds since the epoch. */
  readonly issuedAt?: number;
}

interface MemberEventData {
  readonly user: { readonly id: string };
  readonly role: MemberRole;
  readonly mutedUntil?: string | null;
}

/** A message as slow mode sees it. */
interface Post {
  /** Undefined where only its time is known. */
  readonly messageId: string | undefined;
  /** Milliseconds by Postgres' clock. */
  readonly atMs: number;
}

export class RoomState implements FeedState {
  settings: RoomSettings;
  deleted: boolean;
  readonly members: Map<string, MemberState>;
  /** Each member's last message in the log; kept only in slow mode. */
  readonly #lastPosts = new Map<string, Post>();
  /** Each member's message on its way into the log; kept only in slow mode. */
  readonly #reservedPosts = new Map<string, Post>();
  /** Staff who have opened the room, and until when, monotonic milliseconds. */
  readonly #openedUntil = new Map<string, number>();
  /** By member: the seq at which they were last muted, as far as this instance has seen it happen. */
  readonly #mutedSeq = new Map<string, number>();

  constructor(settings: RoomSettings, members: Map<string, MemberState>, deleted: boolean) {
    this.settings = settings;
    this.members = members;
    this.deleted = deleted;
  }

  weight(): number {
    return this.members.size;
  }

  isMember(userId: string): boolean {
    return !this.deleted && this.members.has(userId);
  }

  isPublic(): boolean {
    return !this.deleted && this.settings.visibility === 'public';
  }

  readableFrom(userId: string): number {
    if (this.settings.history === 'all') return 1;
    return this.members.get(userId)?.joinedSeq ?? 1;
  }

  /**
   * The first seq that the actor may read of what was. Who has not joined a room whose history begins with joining may watch
   * what comes while it is public, and reads nothing of before, such as what was said while it was private.
   */
  firstReadable(actor: Actor): number {
    const outside = !this.members.has(actor.userId) && actor.role !== 'server' && !this.#isOpenedTo(actor.userId);
    return outside && this.settings.history === 'joined' ? Number.MAX_SAFE_INTEGER : this.readableFrom(actor.userId);
  }

  standingOf(actor: Actor): Standing {
    if (this.deleted) return 'outsider';
    const member = this.members.get(actor.userId);
    return member ? member.role : this.#officeOf(actor);
  }

  /** What the deployment's staff is in any room, direct messages apart. */
  #officeOf({ role, userId }: Actor): Standing {
    if (role === 'user' || this.settings.kind === 'dm') return 'outsider';
    if (role === 'server') return 'server';
    return this.isPublic() || this.#isOpenedTo(userId) ? 'admin' : 'staff';
  }

  #isOpenedTo(userId: string): boolean {
    return (this.#openedUntil.get(userId) ?? 0) > performance.now();
  }

  /** Lets somebody of the staff read the room for so many milliseconds; 0: not any more. */
  openTo(userId: string, leftMs: number): void {
    if (leftMs > 0) this.#openedUntil.set(userId, performance.now() + leftMs);
    else this.#openedUntil.delete(userId);
  }

  /** Whether the actor reads this room only if they have opened it. */
  needsOpening({ role, userId }: Actor): boolean {
    const isStaff = role === 'moderator' || role === 'admin';
    return isStaff && this.settings.kind === 'room' && !this.members.has(userId);
  }

  /** @throws Failure `not_found` where the room is nothing the actor may know of */
  requireKnown(actor: Actor): void {
    if (this.standingOf(actor) === 'outsider' && !this.isPublic()) throw new Failure('not_found', 'no such room');
  }

  /**
   * @throws Failure `not_found` where the room is nothing the actor may know of, `forbidden` where it is but not this
   */
  require(actor: Actor, action: RoomAction): Standing {
    const standing = this.standingOf(actor);
    if (may(standing, action)) return standing;
    // Staff loses nothing by being a member as well.
    const office = this.deleted ? 'outsider' : this.#officeOf(actor);
    if (may(office, action)) return office;
    // What the staff has not opened is as absent to it as to anybody, although it may act there.
    if (standing === 'staff' && action === 'read') throw new Failure('not_found', 'no such room');
    if (standing !== 'outsider') throw new Failure('forbidden', 'your role in this room does not allow that');
    if (!this.isPublic()) throw new Failure('not_found', 'no such room');
    if (action === 'read') return standing;
    throw new Failure('forbidden', 'join the room first');
  }

  /**
   * May this member post now?
   * @param nowMs Postgres' clock
   * @param messageId of the message that is to be posted: an earlier try of its own does not make it wait in slow mode
   */
  requirePost(actor: Actor, nowMs: number, messageId?: string): void {
    this.require(actor, 'post');
    this.requireUnmuted(actor.userId, nowMs);
    const member = this.members.get(actor.userId)!;
    if (this.settings.slowModeSeconds > 0 && member.role === 'member') {
      const posts = [this.#lastPosts.get(actor.userId), this.#reservedPosts.get(actor.userId)];
      const others = posts.filter((post) => post && (messageId === undefined || post.messageId !== messageId));
      const waitMs = Math.max(0, ...others.map((post) => post!.atMs)) + this.settings.slowModeSeconds * 1000 - nowMs;
      if (waitMs > 0) throw new Failure('slow_mode', 'this room is in slow mode', { retryAfterMs: Math.ceil(waitMs) });
    }
  }

  requireUnmuted(userId: string, nowMs: number): void {
    const waitMs = (this.members.get(userId)?.mutedUntil ?? 0) - nowMs;
    if (waitMs > 0) throw new Failure('muted', 'you are muted in this room', { retryAfterMs: Math.ceil(waitMs) });
  }

  /**
   * The last seq at which this member might not post: what was allowed before it and is not stored yet may have been refused
   * for certain meanwhile, elsewhere, under the same key.
   */
  barredUntilSeq(userId: string): number {
    return Math.max(this.#mutedSeq.get(userId) ?? 0, this.members.get(userId)?.joinedSeq ?? 0);
  }

  /** Remembers a message of the log for slow mode. */
  notePost(userId: string, post: Post): void {
    if (this.settings.slowModeSeconds > 0 && post.atMs >= (this.#lastPosts.get(userId)?.atMs ?? 0))
      this.#lastPosts.set(userId, post);
  }

  /** Counts a message for slow mode while it is on its way into the log; `releasePost` ends that. */
  reservePost(userId: string, post: Post): void {
    if (this.settings.slowModeSeconds > 0 && !this.#reservedPosts.has(userId)) this.#reservedPosts.set(userId, post);
  }

  releasePost(userId: string, messageId: string): void {
    if (this.#reservedPosts.get(userId)?.messageId === messageId) this.#reservedPosts.delete(userId);
  }

  apply(type: string, event: FeedEvent): ReaderChange | undefined {
    if (type === 'message.created') {
      if (this.settings.slowModeSeconds > 0) {
        const { at, data } = JSON.parse(event.json) as {
          at: string;
          data: { message: { id: string; sender: { id: string } } };
        };
        this.notePost(data.message.sender.id, { messageId: data.message.id, atMs: Date.parse(at) });
      }
      return undefined;
    }
    if (type === 'message.deleted') return { forgetRecent: true };
    if (type === 'member.joined' || type === 'member.updated') return this.#applyMember(type, event);
    if (type === 'member.left') {
      const { data } = JSON.parse(event.json) as { data: { userId: string; reason: string } };
      this.members.delete(data.userId);
      this.#mutedSeq.delete(data.userId);
      return { left: { userId: data.userId, reason: data.reason } };
    }
    if (type === 'room.updated') return this.#applySettings(event);
    if (type === 'room.deleted') {
      this.deleted = true;
      return { closed: true };
    }
    return undefined;
  }

  #applyMember(type: string, event: FeedEvent): ReaderChange | undefined {
    const { data } = JSON.parse(event.json) as { data: MemberEventData };
    const before = this.members.get(data.user.id);
    this.members.set(data.user.id, {
      role: data.role,
      joinedSeq: type === 'member.joined' ? event.seq : (before?.joinedSeq ?? event.seq),
      mutedUntil: data.mutedUntil ? Date.parse(data.mutedUntil) : 0,
    });
    if (data.mutedUntil) this.#mutedSeq.set(data.user.id, event.seq);
    return type === 'member.joined' ? { joined: data.user.id } : undefined;
  }

  #applySettings(event: FeedEvent): ReaderChange | undefined {
    const { data } = JSON.parse(event.json) as { data: { room: RoomSettings } };
    const wasPublic = this.isPublic();
    const { id, kind, name, topic, visibility, history, slowModeSeconds, createdAt } = data.room;
    this.settings = { id, kind, name, topic, visibility, history, slowModeSeconds, createdAt };
    if (slowModeSeconds === 0) {
      this.#lastPosts.clear();
      this.#reservedPosts.clear();
    }
    return wasPublic && !this.isPublic() ? { watchersLeave: true } : undefined;
  }
}
