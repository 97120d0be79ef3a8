/** Which names and topics a room may have. */
import { invalid } from '../../errors.ts';
import type { Actor } from '../state/room-state.ts';

/** Throws `message_blocked` for a name or topic that moderation refuses. */
export type JudgeText = (text: string, kind: 'name' | 'topic', actor: Actor, roomId?: string) => Promise<void>;

/** @param roomId of a room that exists: its own rules count too. @throws Failure `invalid`, `message_blocked` */
export type RequireRoomTexts = (
  actor: Actor,
  texts: { readonly name?: string; readonly topic?: string },
  roomId?: string,
) => Promise<void>;

export function createRoomTexts(
  judgeText: JudgeText,
  { nameMax, topicMax }: { readonly nameMax: number; readonly topicMax: number },
): RequireRoomTexts {
  return async (actor, { name, topic }, roomId) => {
    if (name !== undefined && [...name].length > nameMax) throw invalid('/name', `at most ${nameMax} characters`);
    if (topic !== undefined && [...topic].length > topicMax) throw invalid('/topic', `at most ${topicMax} characters`);
    if (name) await judgeText(name, 'name', actor, roomId);
    if (topic) await judgeText(topic, 'topic', actor, roomId);
  };
}
