/**
 * The state of a room as of a position in its log: settings and members. Every instance that uses the room holds it in
 * memory and advances it only by log events in seq order. So authority depends on the seq, not on time: an append at
 * position + 1 succeeds only if no other event, such as a removal, was appended before it.
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
  /** Who may pin messages. */
  readonly pins: 'moderators' | 'members';
  /** Whether members see how far others have read. */
  readonly receipts: boolean;
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
  /** When a host application's token was issued, milliseconds since the epoch. */
  readonly issuedAt?: number;
}

interface MemberEventData {
  readonly user: { readonly id: string };
  readonly role: MemberRole;
  readonly mutedUntil?: string | null;
}

/** A member's last message, as slow mode remembers it. */
interface Post {
  /** Undefined if only its time is known. */
  readonly messageId: string | undefined;
  /** Milliseconds by Postgres' clock. */
  readonly atMs: number;
}

export class RoomState implements FeedState {
  settings: RoomSettings;
  deleted: boolean;
  readonly members: Map<string, MemberState>;
  /** Each member's last message in the log. Only in slow mode. */
  readonly #lastPosts = new Map<string, Post>();
  /** Each member's message on its way into the log. Only in slow mode. */
  readonly #reservedPosts = new Map<string, Post>();
  /** Staff that have opened the room, and until when, monotonic milliseconds. */
  readonly #openedUntil = new Map<string, number>();
  /** By member: the seq of their last mute, if this instance has processed its event. */
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

  joinedSeq(userId: string): number | undefined {
    return this.members.get(userId)?.joinedSeq;
  }

  readableFrom(userId: string): number {
    if (this.settings.history === 'all') return 1;
    return this.members.get(userId)?.joinedSeq ?? Number.MAX_SAFE_INTEGER;
  }

  hidesEarlier(): boolean {
    return this.settings.history === 'joined';
  }

  /**
   * The first seq of the history that the actor may read. If history begins with joining, users who have not joined a
   * public room may watch it live but read nothing older: it may date from when the room was private.
   */
  firstReadable(actor: Actor): number {
    const readsAll = actor.role === 'server' || this.#isOpenedTo(actor.userId);
    return readsAll && !this.members.has(actor.userId) ? 1 : this.readableFrom(actor.userId);
  }

  standingOf(actor: Actor): Standing {
    if (this.deleted) return 'outsider';
    const member = this.members.get(actor.userId);
    return member ? member.role : this.#staffStanding(actor);
  }

  /** The standing of the deployment's staff in any room except direct messages. */
  #staffStanding({ role, userId }: Actor): Standing {
    if (role === 'user' || this.settings.kind === 'dm') return 'outsider';
    if (role === 'server') return 'server';
    return this.isPublic() || this.#isOpenedTo(userId) ? 'admin' : 'staff';
  }

  #isOpenedTo(userId: string): boolean {
    return (this.#openedUntil.get(userId) ?? 0) > performance.now();
  }

  /** Lets a member of the staff read the room for `leftMs`; 0 ends that. */
  openTo(userId: string, leftMs: number): void {
    if (leftMs > 0) this.#openedUntil.set(userId, performance.now() + leftMs);
    else this.#openedUntil.delete(userId);
  }

  /** Whether the actor must open the room before reading it. */
  needsOpening({ role, userId }: Actor): boolean {
    const isStaff = role === 'moderator' || role === 'admin';
    return isStaff && this.settings.kind === 'room' && !this.members.has(userId);
  }

  /** @throws Failure `not_found` if the actor may not know that the room exists */
  requireKnown(actor: Actor): void {
    if (this.standingOf(actor) === 'outsider' && !this.isPublic()) throw new Failure('not_found', 'no such room');
  }

  /**
   * @throws Failure `not_found` if the actor may not know that the room exists, `forbidden` if the action is not allowed
   */
  require(actor: Actor, action: RoomAction): Standing {
    const standing = this.standingOf(actor);
    if (may(standing, action)) return standing;
    // A member who is staff keeps the rights of staff.
    const staff = this.deleted ? 'outsider' : this.#staffStanding(actor);
    if (may(staff, action)) return staff;
    // To staff that has not opened the room it does not exist as far as reading goes, although they may act there.
    if (standing === 'staff' && action === 'read') throw new Failure('not_found', 'no such room');
    if (standing !== 'outsider') throw new Failure('forbidden', 'your role in this room does not allow that');
    if (!this.isPublic()) throw new Failure('not_found', 'no such room');
    if (action === 'read') return standing;
    throw new Failure('forbidden', 'join the room first');
  }

  /** @throws Failure `not_found`, `forbidden` */
  requirePin(actor: Actor): void {
    this.require(actor, this.settings.pins === 'members' ? 'pin_as_member' : 'pin');
  }

  /**
   * Requires that this member may post now.
   * @param nowMs Postgres' clock
   * @param messageId of the message to post. Its own earlier tries do not count in slow mode
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
   * The last seq at which this member might not post. If a send was allowed before it and is not stored yet, another
   * instance may have refused its retry for certain (docs/internals/send-admission.md).
   */
  barredUntilSeq(userId: string): number {
    return Math.max(this.#mutedSeq.get(userId) ?? 0, this.members.get(userId)?.joinedSeq ?? 0);
  }

  /** Remembers a message in the log for slow mode. */
  notePost(userId: string, post: Post): void {
    if (this.settings.slowModeSeconds > 0 && post.atMs >= (this.#lastPosts.get(userId)?.atMs ?? 0))
      this.#lastPosts.set(userId, post);
  }

  /** Counts a message for slow mode while it is on its way into the log, until `releasePost`. */
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
    const hidEarlier = this.hidesEarlier();
    const { id, kind, name, topic, visibility, history, slowModeSeconds, createdAt } = data.room;
    // Events of an older version do not have these two.
    const { pins = this.settings.pins, receipts = this.settings.receipts } = data.room as Partial<RoomSettings>;
    this.settings = { id, kind, name, topic, visibility, history, slowModeSeconds, pins, receipts, createdAt };
    if (slowModeSeconds === 0) {
      this.#lastPosts.clear();
      this.#reservedPosts.clear();
    }
    // Frames in memory do not say which earlier message they are about.
    const forgetRecent = this.hidesEarlier() && !hidEarlier;
    return { watchersLeave: wasPublic && !this.isPublic(), forgetRecent };
  }
}
