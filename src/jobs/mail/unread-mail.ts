/** The mail about a member's unread messages: one mail for all rooms, as they are when the mail is claimed. */
import { hashUnsubscribeToken, makeUnsubscribeToken } from '../../user/notifications/unsubscribe-token.ts';
import type { Prepare } from './mail-delivery.ts';
import { type MailClock, mailDueAt } from './mail-schedule.ts';
import { writeUnread } from './mail-text.ts';
import { gatherUnread, type UnreadLimits } from './unread-query.ts';

export interface UnreadMailSettings extends UnreadLimits {
  readonly clock: MailClock;
  readonly publicUrl: string;
  /** Domain of Message-IDs. */
  readonly domain: string;
  readonly roomsMax: number;
  readonly excerptMax: number;
}

/** Shortest postponement, so that a wrong due time never turns the job into a busy loop. */
const postponeMinMs = 1000;

/**
 * Read state, membership, mutes, bans, settings, texts and the address are all those of the claim's transaction.
 * Nothing unread any more: nothing is sent. Not due yet, by what the person chose since: it waits.
 */
export function prepareUnreadMail(settings: UnreadMailSettings): Prepare {
  return async (tx, { id, userId }) => {
    const unread = await gatherUnread(tx, userId, settings);
    if (!unread) return { kind: 'cancel' };
    const dueMs = mailDueAt(unread.settings, unread, settings.clock);
    if (dueMs > unread.nowMs) return { kind: 'later', dueMs: Math.max(dueMs, unread.nowMs + postponeMinMs) };
    const token = makeUnsubscribeToken();
    const unsubscribeUrl = `${settings.publicUrl}/v1/unsubscribe?token=${token}`;
    const written = writeUnread({ ...settings, ...unread, unsubscribeUrl });
    return {
      kind: 'mail',
      mail: {
        ...written,
        messageId: `<${id}@${settings.domain}>`,
        to: unread.email,
        headers: {
          'List-Unsubscribe': `<${unsubscribeUrl}>`,
          // RFC 8058 §3.1: exactly this.
          'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click',
        },
      },
      claim: {
        covers: unread.rooms.map(({ roomId, fromSeq, toSeq }) => ({ roomId, fromSeq, toSeq })),
        unsubscribeHash: hashUnsubscribeToken(token),
      },
    };
  };
}
