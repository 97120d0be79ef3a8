/**
 * One connection for all tabs of an origin. The tab that leads connects; the others hear what it hears, and send through it. Each tab
 * follows the positions of the rooms, so that the next leader resumes where they are, and a tab that missed something finds out.
 *
 * States: off → naming (what the tabs share is being found out) → following ⇄ leading; or alone, where nothing can be shared.
 */
import { afterBlock } from '../blocked-users.ts';
import { leave } from '../leave.ts';
import { type ErrorData, fromErrorData, ParleyError, toErrorData } from '../parley-error.ts';
import { randomKey } from '../random-key.ts';
import type { BlockChange, RoomEvent, ServerFrame } from '../types.ts';
import type { SharedLink } from './late-link.ts';
import { createLeadership, type Leadership, type Locks } from './leadership.ts';
import type { Link, MakeLink, SocketListener, SocketState, Welcome } from './live-socket.ts';
import { createLogPosition, type Resume } from './log-position.ts';
import { createPendingRequests } from './pending-requests.ts';
import { TabDemands } from './tab-demands.ts';

/** What tabs share with each other. */
export interface TabChannel {
  postMessage(message: unknown): void;
  close(): void;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
}

export interface TabSharing {
  readonly locks: Locks;
  readonly openChannel: (name: string) => TabChannel;
}

/** What one tab tells the others. */
type TabMessage = { readonly from: string } & (
  | { readonly kind: 'join' | 'bye' | 'wake' | 'end' }
  | { readonly kind: 'here'; readonly state: SocketState; readonly welcome?: Welcome; readonly position?: Resume }
  | { readonly kind: 'state'; readonly state: SocketState }
  | { readonly kind: 'welcome'; readonly welcome: Welcome; readonly position?: Resume }
  | { readonly kind: 'event'; readonly event: RoomEvent }
  | { readonly kind: 'reset'; readonly roomId: string; readonly seq: number }
  | { readonly kind: 'signal'; readonly frame: ServerFrame }
  | { readonly kind: 'ask'; readonly id: string; readonly frame: Readonly<Record<string, unknown>> }
  | { readonly kind: 'answer'; readonly to: string; readonly id: string; readonly frame: ServerFrame }
  | { readonly kind: 'refusal'; readonly to: string; readonly id: string; readonly error: ErrorData }
  | { readonly kind: 'news'; readonly news: unknown }
);
type WithoutFrom<Message> = Message extends unknown ? Omit<Message, 'from'> : never;

export interface TabLinkOptions {
  readonly sharing: TabSharing;
  /** Names the server and the user; undefined: they are not known, and nothing is shared. @throws ParleyError */
  readonly name: () => Promise<string | undefined>;
  readonly makeLink: MakeLink;
  readonly listener: SocketListener;
  /** This tab begins to lead, or ends to. */
  readonly onLead?: (isLeading: boolean) => void;
  /** What other tabs tell by `tell`. */
  readonly onNews?: (news: unknown) => void;
}

/** A request through the leading tab has its own time in there. */
const answerTimeoutMs = 12_000;
/** A leader that does not answer within this time is frozen. */
const leaderTimeoutMs = 5000;

export class TabLink implements SharedLink {
  readonly #options: TabLinkOptions;
  readonly #tab = randomKey();
  readonly #position = createLogPosition();
  readonly #requests = createPendingRequests();
  readonly #demands = new TabDemands();
  readonly #leadership: Leadership;
  #state: SocketState = { name: 'off' };
  /** The connection of this tab, while it leads or is alone. */
  #own: Link | undefined;
  #channel: TabChannel | undefined;
  #lastWelcome: Welcome | undefined;
  #leader: string | undefined;
  #leaderTimer: ReturnType<typeof setTimeout> | undefined;
  #round = 0;

  constructor(options: TabLinkOptions) {
    this.#options = options;
    this.#leadership = createLeadership(options.sharing.locks, (isLeading) => this.#lead(isLeading));
  }

  get state(): SocketState {
    return this.#state;
  }

  /** Whether this tab connects for itself, and maybe for others. */
  isLeading(): boolean {
    return this.#own !== undefined;
  }

  start(): void {
    if (this.#state.name === 'off') leave(this.#begin());
    else this.wake();
  }

  stop(): void {
    this.#round += 1;
    clearTimeout(this.#leaderTimer);
    this.#requests.failAll();
    this.#giveUp();
    this.#post({ kind: 'bye' });
    this.#leadership.stop();
    this.#channel?.close();
    this.#channel = undefined;
    this.#position.clear();
    this.#lastWelcome = undefined;
    this.#leader = undefined;
    if (this.#state.name !== 'off') this.#become({ name: 'off' });
  }

  wake(): void {
    if (this.#own) this.#own.wake();
    else if (this.#channel) {
      this.#post({ kind: 'wake' });
      this.#findLeader();
    }
  }

  /** Tells the other tabs. */
  tell(news: unknown): void {
    this.#post({ kind: 'news', news });
  }

  ask(frame: Readonly<Record<string, unknown>>): Promise<ServerFrame> {
    if (this.#own) return this.#askOwn(this.#tab, frame);
    if (this.#state.name !== 'live') return Promise.reject(new ParleyError('offline', 'not connected'));
    return this.#requests
      .add((id) => this.#post({ kind: 'ask', id, frame }), answerTimeoutMs)
      .catch((error: unknown) => {
        if (error instanceof ParleyError && error.code === 'offline') this.#findLeader();
        throw error;
      });
  }

  #become(state: SocketState): void {
    this.#state = state;
    this.#options.listener.onState(state);
  }

  #post(message: WithoutFrom<TabMessage>): void {
    this.#channel?.postMessage({ ...message, from: this.#tab });
  }

  async #begin(): Promise<void> {
    this.#round += 1;
    const round = this.#round;
    this.#become({ name: 'connecting' });
    // Where there is no token, the connection itself finds out what that means.
    const name = await this.#options.name().catch(() => undefined);
    if (round !== this.#round) return;
    if (name === undefined) {
      this.#lead(true);
      return;
    }
    this.#channel = this.#options.sharing.openChannel(name);
    this.#channel.onmessage = ({ data }) => this.#hear(data as TabMessage);
    this.#leadership.start(name);
    this.#findLeader();
  }

  /** Asks who leads. Without an answer this tab leads, unless it has got the lock by itself. */
  #findLeader(): void {
    clearTimeout(this.#leaderTimer);
    this.#post({ kind: 'join' });
    this.#leaderTimer = setTimeout(() => this.#leadership.seize(), leaderTimeoutMs);
  }

  #lead(isLeading: boolean): void {
    clearTimeout(this.#leaderTimer);
    this.#requests.failAll();
    if (!isLeading) {
      this.#giveUp();
      this.#options.onLead?.(false);
      this.#findLeader();
      return;
    }
    this.#demands.clear();
    this.#own = this.#options.makeLink(this.#tellingListener(), this.#position);
    this.#post({ kind: 'here', state: { name: 'connecting' }, position: this.#position.all() });
    this.#options.onLead?.(true);
    this.#own.start();
  }

  #giveUp(): void {
    const given = this.#own;
    this.#own = undefined;
    given?.stop();
  }

  /** Tells this tab, and the others. */
  #tellingListener(): SocketListener {
    const { listener } = this.#options;
    return {
      onState: (state) => {
        // Given up: another tab connects, or none.
        if (!this.#own) return;
        this.#become(state);
        this.#post({ kind: 'state', state });
      },
      onWelcome: (welcome) => {
        this.#lastWelcome = welcome;
        this.#demands.clear();
        this.#post({ kind: 'welcome', welcome, position: this.#position.all() });
        listener.onWelcome(welcome);
      },
      onEvent: (event) => {
        this.#post({ kind: 'event', event });
        listener.onEvent(event);
      },
      onReset: (roomId, seq) => {
        this.#post({ kind: 'reset', roomId, seq });
        listener.onReset(roomId, seq);
      },
      onSignal: (frame) => {
        if (frame.type === 'block.updated') this.#keepBlock(frame.data as BlockChange);
        this.#post({ kind: 'signal', frame });
        listener.onSignal(frame);
      },
      onEnd: () => {
        this.#post({ kind: 'end' });
        this.stop();
        listener.onEnd();
      },
    };
  }

  /** Tabs that come later get the welcome as it would be now. */
  #keepBlock(change: BlockChange): void {
    const welcome = this.#lastWelcome;
    if (welcome) this.#lastWelcome = { ...welcome, blockedIds: afterBlock(welcome.blockedIds ?? [], change) };
  }

  async #askOwn(tab: string, frame: Readonly<Record<string, unknown>>): Promise<ServerFrame> {
    if (!this.#own) throw new ParleyError('offline', 'not connected');
    return this.#own.ask(this.#demands.merge(tab, frame));
  }

  #hear(message: TabMessage): void {
    if (this.#own) leave(this.#serve(message));
    else this.#follow(message);
    if (message.kind === 'news') this.#options.onNews?.(message.news);
  }

  /** What the leader hears of the others. */
  async #serve(message: TabMessage): Promise<void> {
    if (message.kind === 'bye') this.#demands.forget(message.from);
    else if (message.kind === 'wake') this.#own?.wake();
    else if (message.kind === 'join') {
      const welcome = this.#lastWelcome ? { welcome: this.#lastWelcome } : {};
      this.#post({ kind: 'here', state: this.#state, position: this.#position.all(), ...welcome });
    } else if (message.kind === 'ask') {
      const reply = { to: message.from, id: message.id };
      try {
        const frame = await this.#askOwn(message.from, message.frame);
        this.#post({ kind: 'answer', ...reply, frame: { ...frame, id: message.id } });
      } catch (error) {
        this.#post({ kind: 'refusal', ...reply, error: toErrorData(error) });
      }
    }
  }

  /** What the others hear of the leader. */
  #follow(message: TabMessage): void {
    const { listener } = this.#options;
    switch (message.kind) {
      case 'here':
        this.#meet(message.from);
        this.#adopt(message.position);
        if (message.welcome && message.state.name === 'live' && this.#state.name !== 'live')
          listener.onWelcome(message.welcome);
        if (message.state.name !== this.#state.name) this.#become(message.state);
        break;
      case 'state':
        if (message.state.name !== 'live') this.#requests.failAll();
        this.#become(message.state);
        break;
      case 'bye':
        // The browser is about to make another tab the leader.
        if (message.from !== this.#leader) break;
        this.#requests.failAll();
        this.#become({ name: 'connecting' });
        break;
      case 'welcome':
        this.#meet(message.from);
        this.#adopt(message.position);
        listener.onWelcome(message.welcome);
        break;
      case 'event':
        this.#takeEvent(message.event);
        break;
      case 'reset':
        this.#position.reset(message);
        listener.onReset(message.roomId, message.seq);
        break;
      case 'signal':
        if (message.frame.type === 'room.left') this.#position.leave(String(message.frame.roomId));
        listener.onSignal(message.frame);
        break;
      case 'end':
        this.stop();
        listener.onEnd();
        break;
      case 'answer':
        if (message.to === this.#tab) this.#requests.settle(message.frame);
        break;
      case 'refusal':
        if (message.to === this.#tab) this.#requests.settle(toErrorFrame(message.id, message.error));
    }
  }

  #meet(leader: string): void {
    clearTimeout(this.#leaderTimer);
    // What was asked of another leader is not answered any more.
    if (this.#leader !== undefined && this.#leader !== leader) this.#requests.failAll();
    this.#leader = leader;
  }

  #adopt(position: Resume | undefined): void {
    if (!position) return;
    for (const { roomId, seq } of this.#position.adopt(position)) this.#options.listener.onReset(roomId, seq);
  }

  /** Messages between tabs may be lost while a tab is frozen. What is missing is read over REST. */
  #takeEvent(event: RoomEvent): void {
    const { listener } = this.#options;
    const follows = this.#position.take(event);
    if (follows === 'next') listener.onEvent(event);
    else if (follows === 'gap') {
      this.#position.reset(event);
      listener.onReset(event.roomId, event.seq);
    }
  }
}

function toErrorFrame(id: string, data: ErrorData): ServerFrame {
  const { code, message, details } = fromErrorData(data);
  return { ...details, type: 'error', id, code, message };
}
