/**
 * One mail over one SMTP connection, so that its outcome is known as exactly as SMTP allows.
 *
 * The message is streamed: its last step, the final dot, is held back until `hand` has made durable that from now on
 * the mail may have arrived. Whatever goes wrong before is certain not to have delivered anything; after it only the
 * server's answer decides, and without an answer the outcome stays open.
 */
import { Readable } from 'node:stream';
import SMTPConnection from 'nodemailer/lib/smtp-connection';

export type SmtpOutcome =
  | { readonly kind: 'sent' }
  /** No answer after the final dot: it may have arrived. */
  | { readonly kind: 'maybe_sent'; readonly reason: string }
  /** The server does not take this mail; `recipient` when it is about whom it goes to or what it says. */
  | { readonly kind: 'refused'; readonly permanent: boolean; readonly recipient: boolean; readonly reason: string }
  /** There is no working session with the server; says nothing about the mail, which was not sent. */
  | { readonly kind: 'unavailable'; readonly reason: string }
  /** `hand` said no; the mail was not sent. */
  | { readonly kind: 'withdrawn' };

interface Envelope {
  readonly from: string;
  readonly to: string;
}

/** Makes it durable that the mail may arrive from now on; false: it must not. */
export type Hand = () => Promise<boolean>;

export interface SmtpServer {
  readonly host: string;
  readonly port: number;
  /** TLS from the first byte (`smtps://`); otherwise STARTTLS where the server offers it. */
  readonly secure: boolean;
  readonly requireTLS: boolean;
  readonly rejectUnauthorized: boolean;
  readonly credentials: { readonly user: string; readonly pass: string } | undefined;
  /** Longest wait for a step of the conversation. */
  readonly stageTimeoutMs: number;
  /** What EHLO says of us; see mail-host.ts. */
  readonly clientName: string;
}

/** `smtp[s]://user:password@host:port?requireTLS=true&rejectUnauthorized=false` */
export function parseSmtpUrl(
  text: string,
  { stageTimeoutMs, clientName }: Pick<SmtpServer, 'stageTimeoutMs' | 'clientName'>,
): SmtpServer {
  const url = new URL(text);
  const secure = url.protocol === 'smtps:';
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    // RFC 8314 §3.3: 465 is submission over TLS, 587 submission with STARTTLS.
    port: Number(url.port) || (secure ? 465 : 587),
    secure,
    requireTLS: url.searchParams.get('requireTLS') === 'true',
    rejectUnauthorized: url.searchParams.get('rejectUnauthorized') !== 'false',
    credentials: url.username ? { user: decoded(url.username), pass: decoded(url.password) } : undefined,
    stageTimeoutMs,
    clientName,
  };
}

/** A percent sign that stands for itself is forgiven. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export interface SmtpSession {
  /** Mails sent so far; a used session may have been closed by the server meanwhile. */
  readonly used: () => number;
  readonly isOpen: () => boolean;
  /** After anything but `sent` the session is closed. */
  readonly send: (envelope: Envelope, content: Buffer, hand: Hand, signal: AbortSignal) => Promise<SmtpOutcome>;
  readonly close: () => void;
}

interface SmtpError extends Error {
  code?: string;
  responseCode?: number;
  command?: string;
}

/** Connects and logs in. @throws the connection's error; nothing was sent */
export async function openSmtpSession(server: SmtpServer, signal: AbortSignal): Promise<SmtpSession> {
  const { host, port, secure, requireTLS, rejectUnauthorized, credentials, stageTimeoutMs, clientName } = server;
  const connection = new SMTPConnection({
    host,
    port,
    name: clientName,
    secure,
    requireTLS,
    tls: { rejectUnauthorized },
    connectionTimeout: stageTimeoutMs,
    greetingTimeout: stageTimeoutMs,
    socketTimeout: stageTimeoutMs,
    dnsTimeout: stageTimeoutMs,
  });
  let open = true;
  let sent = 0;
  let onEnd: (error: Error) => void = () => {};
  connection.on('error', (error) => {
    open = false;
    onEnd(error);
  });
  connection.on('end', () => {
    open = false;
    onEnd(new Error('the connection ended'));
  });

  /** One step of the conversation; it ends with the connection or the deadline at the latest. */
  function step(deadline: AbortSignal, begin: (done: (error?: Error | null) => void) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const expire = () => {
        reject(new Error('the deadline has passed'));
        close();
      };
      if (deadline.aborted) return expire();
      const finish = (error?: Error | null) => {
        deadline.removeEventListener('abort', expire);
        onEnd = () => {};
        if (error) reject(error);
        else resolve();
      };
      onEnd = finish;
      deadline.addEventListener('abort', expire, { once: true });
      begin(finish);
    });
  }

  function close(): void {
    open = false;
    connection.close();
  }

  try {
    await step(signal, (done) => connection.connect(done));
    if (credentials) await step(signal, (done) => connection.login({ credentials }, done));
  } catch (error) {
    close();
    throw error;
  }

  async function send(envelope: Envelope, content: Buffer, hand: Hand, deadline: AbortSignal): Promise<SmtpOutcome> {
    const gate = gated(content, hand);
    try {
      await step(deadline, (done) => connection.send({ from: envelope.from, to: [envelope.to] }, gate.stream, done));
      if (gate.phase() !== 'handed') throw new Error('answered before the end of the message');
      sent++;
      return { kind: 'sent' };
    } catch (error) {
      close();
      gate.stream.destroy();
      return outcomeOf(error as SmtpError, gate.phase());
    }
  }

  return { used: () => sent, isOpen: () => open, send, close };
}

/** `held`: no dot so far, and none will follow; `handed`: it may have gone out; `withdrawn`: `hand` said no. */
type GatePhase = 'held' | 'handed' | 'withdrawn';

/** The message as a stream that ends, which makes the final dot, only after `hand` agreed. */
function gated(content: Buffer, hand: Hand): { stream: Readable; phase: () => GatePhase } {
  let phase: GatePhase = 'held';
  let pushed = false;
  const stream = new Readable({
    read() {
      if (!pushed) {
        pushed = true;
        this.push(content);
        return;
      }
      hand().then(
        (agreed) => {
          // A conversation that failed meanwhile has closed the stream: no dot will follow.
          if (this.destroyed) return;
          phase = agreed ? 'handed' : 'withdrawn';
          if (agreed) this.push(null);
          else this.destroy(new Error('withdrawn'));
        },
        (error: Error) => this.destroy(error),
      );
    },
  });
  stream.on('error', () => {});
  return { stream, phase: () => phase };
}

function outcomeOf(error: SmtpError, phase: GatePhase): SmtpOutcome {
  if (phase === 'withdrawn') return { kind: 'withdrawn' };
  const { code = 'ERROR', responseCode, command = '' } = error;
  // The server's text may hold addresses; its number says enough.
  const reason = [code, responseCode, command].filter(Boolean).join(' ');
  if (phase === 'handed' && responseCode === undefined) return { kind: 'maybe_sent', reason };
  const mine = command === 'RCPT TO' || command === 'DATA';
  const permanent = responseCode !== undefined && responseCode >= 500;
  // 421 is about the server, whatever it answers (RFC 5321 §3.8).
  if (responseCode !== undefined && responseCode !== 421) {
    if (mine) return { kind: 'refused', permanent, recipient: true, reason };
    if (command === 'MAIL FROM' && permanent) return { kind: 'refused', permanent, recipient: false, reason };
  }
  return { kind: 'unavailable', reason };
}
