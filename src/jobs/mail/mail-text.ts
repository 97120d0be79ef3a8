/** The texts of mails, plain and as HTML. Texts of users are shown as plain text, shortened to a line or two. */
import { toLine } from '../../http/input/line-text.ts';
import type { UnreadRoom } from './unread-query.ts';
import { countMax } from './unread-query.ts';

export interface Written {
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

export interface UnreadText {
  readonly displayName: string;
  /** Direct messages and mentions first. */
  readonly rooms: readonly UnreadRoom[];
  /** URL of the page, without a slash at the end. */
  readonly publicUrl: string;
  readonly unsubscribeUrl: string;
  /** Rooms that are shown; the rest is counted. */
  readonly roomsMax: number;
  /** Code points quoted per message. */
  readonly excerptMax: number;
}

export function writeUnread({
  displayName,
  rooms,
  publicUrl,
  unsubscribeUrl,
  roomsMax,
  excerptMax,
}: UnreadText): Written {
  const shown = rooms.slice(0, roomsMax);
  const more = rooms.length - shown.length;
  const blocks = shown.map((room) => {
    const title = room.kind === 'dm' ? `Direct message with ${line(room.name, 80)}` : line(room.name, 80) || 'A room';
    const quotes = room.messages.map(({ sender, text, mention }) => ({
      sender: line(sender, 80) || 'Somebody',
      text: line(text, excerptMax),
      mention,
    }));
    const rest = room.unread - quotes.length;
    return { title, quotes, rest, capped: room.unread >= countMax, url: `${publicUrl}/#/rooms/${room.roomId}` };
  });
  const restOf = ({ rest, capped }: (typeof blocks)[number]) =>
    rest <= 0 ? '' : capped ? `and more than ${rest} others` : rest === 1 ? 'and 1 more' : `and ${rest} more`;
  const moreRooms =
    more <= 0 ? '' : more === 1 ? 'Something is unread in 1 more room.' : `Something is unread in ${more} more rooms.`;

  const text = [
    `Hello ${line(displayName, 80)},`,
    'this is what you have not read yet.',
    ...blocks.map((block) =>
      [
        block.title,
        ...block.quotes.map(
          ({ sender, text: quote, mention }) => `  ${sender}${mention ? ' (mentions you)' : ''}: ${quote}`,
        ),
        ...(restOf(block) ? [`  ${restOf(block)}`] : []),
        `  ${block.url}`,
      ].join('\n'),
    ),
    ...(moreRooms ? [moreRooms] : []),
    `No more mails about unread messages: ${unsubscribeUrl}`,
  ].join('\n\n');

  const html = page(
    [
      `<p>Hello ${escapeHtml(line(displayName, 80))},<br>this is what you have not read yet.</p>`,
      ...blocks.map(
        (block) => `<h2 style="font-size:1.1em"><a href="${escapeHtml(block.url)}">${escapeHtml(block.title)}</a></h2>
<ul>${block.quotes
          .map(
            ({ sender, text: quote, mention }) =>
              `<li><strong>${escapeHtml(sender)}</strong>${mention ? ' (mentions you)' : ''}: ${escapeHtml(quote)}</li>`,
          )
          .join('')}</ul>${restOf(block) ? `<p>${restOf(block)}</p>` : ''}`,
      ),
      ...(moreRooms ? [`<p>${moreRooms}</p>`] : []),
      `<p style="font-size:.8em"><a href="${escapeHtml(unsubscribeUrl)}">No more mails about unread messages</a></p>`,
    ].join('\n'),
  );
  return { subject: subjectOf(rooms), text: `${text}\n`, html };
}

/** The subject of a mail. It has at most one name, because subjects show on lock screens. */
function subjectOf(rooms: readonly UnreadRoom[]): string {
  const unread = rooms.reduce((sum, room) => sum + room.unread, 0);
  const mentions = rooms.reduce((sum, room) => sum + room.mentions, 0);
  const direct = rooms.find(({ kind }) => kind === 'dm');
  const messages = unread === 1 ? '1 unread message' : `${unread} unread messages`;
  if (direct) return `${messages}, with a direct message from ${line(direct.messages[0]?.sender ?? direct.name, 60)}`;
  if (mentions > 0) return `${messages}, ${mentions === 1 ? '1 mentions' : `${mentions} mention`} you`;
  return rooms.length === 1
    ? `${messages} in ${line(rooms[0]!.name, 60) || 'a room'}`
    : `${messages} in ${rooms.length} rooms`;
}

/** @param url the link with its token; undefined where the mail only tells something */
export function writeAccount(
  template: keyof typeof accountWords,
  { displayName, url, publicUrl }: { displayName: string; url: string | undefined; publicUrl: string },
): Written {
  const { subject, before, after } = accountWords[template];
  const name = line(displayName, 80);
  const link = url ?? publicUrl;
  return {
    subject,
    text: `Hello ${name},\n\n${before}\n\n${link}\n\n${after}\n`,
    html: page(`<p>Hello ${escapeHtml(name)},</p>
<p>${before}</p>
<p><a href="${escapeHtml(link)}">${escapeHtml(link)}</a></p>
<p>${after}</p>`),
  };
}

const accountWords = {
  verify: {
    subject: 'Confirm your e-mail address',
    before: 'please confirm that this address is yours:',
    after: 'If you did not sign up, ignore this mail.',
  },
  verify_again: {
    subject: 'Confirm that your account and this address belong together',
    before: 'please follow this link in a browser where you are logged in:',
    after: 'If you did not ask for it, ignore this mail.',
  },
  reset: {
    subject: 'Choose a new password',
    before: 'somebody, hopefully you, asked for a new password. Choose it here:',
    after: 'Only the newest link works. If that was not you, ignore this mail: your password stays as it is.',
  },
  already_registered: {
    subject: 'You already have an account',
    before:
      'somebody, hopefully you, tried to sign up with this address, which already belongs to your account. Log in here:',
    after: 'If that was not you, ignore this mail: nothing has changed.',
  },
  change_email: {
    subject: 'Confirm your new e-mail address',
    before: 'please confirm that your account is to have this address:',
    after: 'If you did not ask for it, ignore this mail: nothing changes.',
  },
  email_changed: {
    subject: 'Your e-mail address was changed',
    before: 'your account has another e-mail address now, which was confirmed. Your account is here:',
    after: 'If that was not you, ask the operator of this server for help.',
  },
  password_changed: {
    subject: 'Your password was changed',
    before: 'your password was changed, and all other logins have ended. Your account is here:',
    after: 'If that was not you, choose a new password there with “Forgot password?”.',
  },
  account_claimed: {
    subject: 'Your password was changed',
    before:
      'your password was changed. As it was the first time that you showed this account to be yours, every other way into it ended too: linked accounts, second steps from before your address was confirmed, API keys, and all logins. Your account is here:',
    after:
      'Link and set up there again what you use. If that was not you, choose a new password with “Forgot password?”.',
  },
  factor_added: {
    subject: 'A second step was added to your login',
    before: 'your account has a new authenticator app or passkey. You see it in its settings:',
    after: 'If that was not you, take it away there and change your password.',
  },
  factor_removed: {
    subject: 'A second step was taken from your login',
    before: 'an authenticator app or a passkey was taken from your account. You see it in its settings:',
    after: 'If that was not you, change your password there.',
  },
  identity_linked: {
    subject: 'Another way to log in was added to your account',
    before: 'your account is linked to a login provider now, which opens it. You see it in its settings:',
    after: 'If that was not you, unlink it there and change your password.',
  },
  identity_unlinked: {
    subject: 'A way to log in was taken from your account',
    before: 'a login provider was unlinked from your account. You see what is left in its settings:',
    after: 'If that was not you, change your password there.',
  },
} as const;

/** One line of plain text: no control, bidi or invisible characters, cut between code points. */
function line(text: string, max: number): string {
  const flat = toLine(text, Number.POSITIVE_INFINITY) ?? '';
  const points = [...flat];
  return points.length > max ? `${points.slice(0, max - 1).join('')}…` : flat;
}

function page(body: string): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"></head><body style="font-family:sans-serif">
${body}
</body></html>
`;
}

export function escapeHtml(text: string): string {
  const names: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  };
  return text.replace(/[&<>"']/g, (character) => names[character]!);
}
