/**
 * One mail over one SMTP connection, so that its outcome is known as exactly as SMTP allows.
 *
 * The message is streamed. Its last step, the final dot, waits until `hand` has committed that the mail may have arrived. An
 * error before the dot means that nothing was delivered. After the dot only the server's reply tells, and without a reply
 * the outcome is unknown.
 */
import { Readable } from 'node:stream';
import SMTPConnection from 'nodemailer/lib/smtp-connection';

export type SmtpOutcome =
  | { readonly kind: 'sent' }
  /** No answer after the final dot: it may have arrived. */
  | { readonly kind: 'maybe_sent'; readonly reason: string }
  /** The server rejects this mail; `recipient` if the reason is its recipient or content. */
  | { readonly kind: 'refused'; readonly permanent: boolean; readonly recipient: boolean; readonly reason: string }
  /** The connection to the server failed. The mail was not sent, and the error is not about it. */
  | { readonly kind: 'unavailable'; readonly reason: string }
  /** `hand` returned false; the mail was not sent. */
  | { readonly kind: 'withdrawn' };

interface Envelope {
  readonly from: string;
  readonly to: string;
}

/** Commits that the mail may arrive from now on. Returns false if it must not be sent. */
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
  /** The name in EHLO; see mail-host.ts. */
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

/** Decodes percent encoding; a stray percent sign is kept. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export interface SmtpConnection {
  /** Mails sent so far. The server may close a used connection at any time. */
  readonly used: () => number;
  readonly isOpen: () => boolean;
  /** Sends a mail. After any outcome but `sent` the connection is closed. */
  readonly send: (envelope: Envelope, content: Buffer, hand: Hand, signal: AbortSignal) => Promise<SmtpOutcome>;
  readonly close: () => void;
}

interface SmtpError extends Error {
  code?: string;
  responseCode?: number;
  command?: string;
}

/** Connects and logs in. @throws the error of the connection, if that fails; nothing was sent */
export async function openSmtpConnection(server: SmtpServer, signal: AbortSignal): Promise<SmtpConnection> {
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

/** `held`: no dot was sent; `handed`: the dot may have been sent; `withdrawn`: `hand` returned false. */
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
          // If the conversation has failed, the stream is closed and no dot follows.
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
  // The text of the reply may hold addresses, so only its number is kept.
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
