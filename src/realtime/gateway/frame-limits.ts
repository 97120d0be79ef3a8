/** The bounds on what one connection sends: rates, repeated ids, and bad or refused frames per minute. */
import { TokenBucket } from '../../http/limits/token-bucket.ts';
import { BadFrame } from '../socket/frame-codec.ts';

export interface FrameLimitSettings {
  readonly badFramesPerMinute: number;
  readonly messagesPerSecond: number;
  readonly messagesBurst: number;
  readonly framesPerSecond: number;
  readonly framesBurst: number;
  /** Frames refused for their rate in one minute; the socket is closed after that many. */
  readonly closeAfter: number;
}

/** The ids a connection used lately. Repeating one is a bad frame. */
const recentIdsMax = 256;

/** Frames that make a message. */
const sends: ReadonlySet<string> = new Set(['message.send', 'message.stream.start']);

/** Buckets are made with the first frame that needs them, because most connections only listen. */
export class FrameLimits {
  readonly #settings: FrameLimitSettings;
  #ids: Set<string | number> | undefined;
  #messages: TokenBucket | undefined;
  #frames: TokenBucket | undefined;
  #controls: TokenBucket | undefined;
  /** The minute in which the two counts below were made. */
  #minute = 0;
  #bad = 0;
  #refused = 0;

  constructor(settings: FrameLimitSettings) {
    this.#settings = settings;
  }

  /** @throws BadFrame for an id that was used lately */
  rememberId(id: string | number): void {
    this.#ids ??= new Set();
    if (this.#ids.has(id)) throw new BadFrame('"id" was used before on this connection', id);
    this.#ids.add(id);
    if (this.#ids.size > recentIdsMax) this.#ids.delete(this.#ids.values().next().value!);
  }

  /** @returns 0 for a frame that may pass, otherwise the milliseconds until the next one may */
  takeFrame(type: string, nowMs: number): number {
    const { framesPerSecond, framesBurst, messagesPerSecond, messagesBurst } = this.#settings;
    this.#frames ??= new TokenBucket(framesPerSecond, framesBurst, nowMs);
    const waitMs = this.#frames.take(nowMs);
    if (waitMs > 0 || !sends.has(type)) return waitMs;
    this.#messages ??= new TokenBucket(messagesPerSecond, messagesBurst, nowMs);
    return this.#messages.take(nowMs);
  }

  /** Pings and pongs cost little, but not nothing. @returns whether this one is within the rate */
  takeControl(nowMs: number): boolean {
    this.#controls ??= new TokenBucket(this.#settings.framesPerSecond, this.#settings.framesBurst, nowMs);
    return this.#controls.take(nowMs) <= 0;
  }

  /** @returns whether the connection sent more bad frames in this minute than it may */
  countBad(nowMs: number): boolean {
    this.#startMinute(nowMs);
    this.#bad += 1;
    return this.#bad > this.#settings.badFramesPerMinute;
  }

  /** @returns whether more frames of this minute were refused for their rate than `closeAfter` */
  countRefused(nowMs: number): boolean {
    this.#startMinute(nowMs);
    this.#refused += 1;
    return this.#refused > this.#settings.closeAfter;
  }

  #startMinute(nowMs: number): void {
    const minute = Math.floor(nowMs / 60_000);
    if (minute === this.#minute) return;
    this.#minute = minute;
    this.#bad = 0;
    this.#refused = 0;
  }
}
