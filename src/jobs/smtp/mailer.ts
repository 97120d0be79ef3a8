/**
 * Where mails go: an SMTP server, or the development mailbox while there is none. Both answer with an outcome, none
 * throws for what a server does.
 *
 * SMTP connections are reused while they work. A circuit breaker counts connections that fail, not mails that are refused:
 * while it is open nothing is tried but one probe at a time, and mails stay owed.
 */
import { sql } from 'drizzle-orm';
import MailComposer from 'nodemailer/lib/mail-composer';
import { v7 as uuidv7 } from 'uuid';
import { type BreakerState, createCircuitBreaker } from '../../concurrency/circuit-breaker.ts';
import type { Database } from '../../database/connect.ts';
import { developmentMailbox } from '../../database/tables/mail-tables.ts';
import type { Outage } from '../../logger/outages.ts';
import {
  type Hand,
  openSmtpConnection,
  parseSmtpUrl,
  type SmtpConnection,
  type SmtpOutcome,
} from './smtp-conversation.ts';

/** A mail to one address, written out. */
export interface ComposedMail {
  /** With its angle brackets; the same for every attempt. */
  readonly messageId: string;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface Mailer {
  /** Whether a mail can be sent now. */
  readonly ready: () => boolean;
  /** @param hand see smtp-conversation.ts; asked again only if the first time led to nothing */
  readonly deliver: (mail: ComposedMail, hand: Hand) => Promise<SmtpOutcome>;
  readonly stop: () => void;
}

export interface SmtpMailerSettings {
  readonly url: string;
  /** The name in EHLO. */
  readonly clientName: string;
  readonly from: string;
  readonly stageTimeoutMs: number;
  /** Longest conversation about one mail. */
  readonly deadlineMs: number;
  /** Sessions that fail in a row until the breaker opens. */
  readonly failuresToOpen: number;
  /** Longest pause between two probes. */
  readonly probePauseMaxMs: number;
  readonly sessionMailsMax: number;
  /** A connection without work is closed after this time. */
  readonly sessionIdleMs: number;
}

/** Sends by SMTP. @throws TypeError for a URL that is none */
export function createSmtpMailer({
  settings,
  outage,
  onBreaker = () => {},
}: {
  settings: SmtpMailerSettings;
  outage: Outage;
  onBreaker?: (state: BreakerState) => void;
}): Mailer {
  const server = parseSmtpUrl(settings.url, settings);
  const idle = new Map<SmtpConnection, NodeJS.Timeout>();
  const deadline = () => AbortSignal.timeout(settings.deadlineMs);
  const breaker = createCircuitBreaker({
    settings: { failuresToOpen: settings.failuresToOpen, pauseMs: 1000, pauseMaxMs: settings.probePauseMaxMs },
    probe: async () => {
      try {
        keep(await openSmtpConnection(server, deadline()));
      } catch (error) {
        // The server's words may hold addresses.
        throw new Error(reasonOf(error));
      }
    },
    onChange: onBreaker,
    outage,
    reportAfter: 1,
  });
  let stopped = false;

  function keep(connection: SmtpConnection): void {
    if (stopped || !connection.isOpen() || connection.used() >= settings.sessionMailsMax) {
      connection.close();
      return;
    }
    const timer = setTimeout(() => {
      idle.delete(connection);
      connection.close();
    }, settings.sessionIdleMs);
    timer.unref();
    idle.set(connection, timer);
  }

  function takeIdle(): SmtpConnection | undefined {
    for (const [connection, timer] of idle) {
      clearTimeout(timer);
      idle.delete(connection);
      if (connection.isOpen()) return connection;
    }
    return undefined;
  }

  async function deliver(mail: ComposedMail, hand: Hand): Promise<SmtpOutcome> {
    const { envelope, content } = await compose(settings.from, mail);
    const signal = deadline();
    const reused = takeIdle();
    let outcome = reused && (await reused.send(envelope, content, hand, signal));
    if (reused && outcome?.kind !== 'unavailable') keep(reused);
    if (!outcome || outcome.kind === 'unavailable') {
      // Servers close idle connections without a word: only a fresh one tells how the server is.
      try {
        const connection = await openSmtpConnection(server, signal);
        outcome = await connection.send(envelope, content, hand, signal);
        keep(connection);
      } catch (error) {
        outcome = { kind: 'unavailable', reason: reasonOf(error) };
      }
    }
    if (outcome.kind === 'unavailable') breaker.failed(outcome.reason);
    else if (outcome.kind !== 'withdrawn') breaker.succeeded();
    return outcome;
  }

  return {
    ready: () => !stopped && breaker.state() === 'closed',
    deliver,
    stop: () => {
      stopped = true;
      breaker.stop();
      for (const [connection, timer] of idle) {
        clearTimeout(timer);
        connection.close();
      }
      idle.clear();
    },
  };
}

/** Codes of errors that say what the network or TLS did; others may repeat words of the server, which may hold addresses. */
const linkErrors = new Set(['ESOCKET', 'ETLS', 'EDNS', 'ETIMEDOUT', 'ECONNREFUSED', 'ECONNRESET']);

function reasonOf(error: unknown): string {
  const {
    code = 'ERROR',
    responseCode,
    command,
    message,
  } = error as Error & {
    code?: string;
    responseCode?: number;
    command?: string;
  };
  const words = responseCode === undefined && linkErrors.has(code) ? [`(${message})`] : [];
  return [code, responseCode, command, ...words].filter(Boolean).join(' ');
}

async function compose(
  from: string,
  { messageId, to, subject, text, html, headers }: ComposedMail,
): Promise<{ envelope: { from: string; to: string }; content: Buffer }> {
  const composer = new MailComposer({
    from,
    // An object, so that the address is not parsed as a list or a comment.
    to: { name: '', address: to },
    subject,
    text,
    html,
    messageId,
    headers: { ...headers, 'Auto-Submitted': 'auto-generated' },
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  const message = composer.compile();
  const sender = message.getEnvelope().from;
  return { envelope: { from: sender || '', to }, content: await message.build() };
}

/** Stores mails in a table instead of sending them. */
export function createDevelopmentMailer({ db, mailsMax }: { db: Database; mailsMax: number }): Mailer {
  async function deliver(mail: ComposedMail, hand: Hand): Promise<SmtpOutcome> {
    if (!(await hand())) return { kind: 'withdrawn' };
    const { messageId, to, subject, text, html, headers } = mail;
    await db.insert(developmentMailbox).values({
      id: uuidv7(),
      recipient: to,
      subject,
      text,
      html,
      headers: { ...headers, 'Message-ID': messageId },
    });
    await db.execute(sql`delete from development_mailbox where id <=
      (select id from development_mailbox order by id desc offset ${mailsMax} limit 1)`);
    return { kind: 'sent' };
  }

  return { ready: () => true, deliver, stop: () => {} };
}
