/**
 * Events about messages that a reader may not read, in rooms whose history begins with joining. Such a reader gets an empty event in
 * their place: the seq of a room has no gap, and is the same for every reader.
 *
 * An event about an earlier message names its seq next to its own, so that it is found without parsing the event:
 * `{"type":…,"roomId":…,"seq":…,"at":…,"messageSeq":…,"data":…}`. Signals about a message do the same.
 */
import { frameText } from '../socket/frame-codec.ts';

/** One event as readers get it. */
export interface FeedFrame {
  readonly bytes: Buffer;
  /** The event without its content, for readers who may not read the message; undefined if everybody may know the event. */
  readonly hidden: { readonly bytes: Buffer; readonly messageSeq: number } | undefined;
}

const eventHead = /^\{"type":"([^"]+)"(,"roomId":"[^"]+","seq":\d+,"at":"[^"]+")(?:,"messageSeq":(\d+))?/;
const signalHead = /^\{"type":"[^"]+","roomId":"[^"]+","messageSeq":(\d+)/;
/** Events about a message from before it: all events of messages but the one that creates it. */
const isAboutMessage = /^(?:message\.(?!created|hidden)|reaction\.|poll\.)/;

/**
 * @returns the seq of the earlier message that an event is about, and the event without its content
 */
function hide(json: string): { readonly json: string; readonly messageSeq: number } | undefined {
  const [, type, place, messageSeq] = eventHead.exec(json) ?? [];
  if (type === undefined || !isAboutMessage.test(type)) return undefined;
  // An instance of an older version does not name the message. Only those who have been there from the start surely may know.
  return {
    json: `{"type":"message.hidden"${place},"data":{}}`,
    messageSeq: messageSeq === undefined ? 1 : Number(messageSeq),
  };
}

/** @param mayHide whether there may be readers who get the event without its content */
export function toFeedFrame(json: string, mayHide: boolean): FeedFrame {
  const hidden = mayHide ? hide(json) : undefined;
  return {
    bytes: frameText(json),
    hidden: hidden && { bytes: frameText(hidden.json), messageSeq: hidden.messageSeq },
  };
}

/** An event's JSON for a reader who may read messages from this seq on. */
export function shownJson(json: string, from: number): string {
  if (from <= 1) return json;
  const hidden = hide(json);
  return hidden && hidden.messageSeq < from ? hidden.json : json;
}

/** A frame for a reader who may read messages from this seq on. */
export function shownBytes({ bytes, hidden }: FeedFrame, from: number): Buffer {
  return hidden && hidden.messageSeq < from ? hidden.bytes : bytes;
}

/** The seq of the message that a signal is about; undefined if everybody in the room may know it. */
export function signalledMessageSeq(json: string): number | undefined {
  const found = signalHead.exec(json)?.[1];
  return found === undefined ? undefined : Number(found);
}
