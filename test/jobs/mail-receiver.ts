/** A real SMTP server that does what a test tells it to. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Readable } from 'node:stream';
import { SMTPServer } from 'smtp-server';

export interface ReceivedMail {
  readonly to: string;
  /** As it came over the wire. */
  readonly source: string;
}

export interface MailReceiver {
  readonly url: string;
  /** Mails that were acknowledged or whose final dot came in, in order. */
  readonly mails: ReceivedMail[];
  /** What to say to MAIL FROM. @param client the name that EHLO gave */
  onSender: (client: string) => number | 'ok';
  /** What to say to RCPT TO; a number refuses with that code, `cut` drops the connection. Default: accept. */
  onRecipient: (address: string) => number | 'cut' | 'ok' | Promise<number | 'cut' | 'ok'>;
  /** What to say to the final dot. */
  onMessage: (mail: ReceivedMail) => number | 'cut' | 'ok' | Promise<number | 'cut' | 'ok'>;
  /** Messages whose connection ended before the final dot. */
  readonly unfinished: () => number;
  readonly stop: () => Promise<void>;
}

export async function startMailReceiver(port = 0): Promise<MailReceiver> {
  let unfinished = 0;
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS', 'AUTH'],
    logger: false,
    disableReverseLookup: true,
    closeTimeout: 100,
    onMailFrom: (_address, session, done) => conclude(receiver.onSender(session.hostNameAppearsAs), done),
    onRcptTo: (address, _session, done) => {
      void Promise.resolve(receiver.onRecipient(address.address)).then((answer) => conclude(answer, done));
    },
    onData: (stream, session, done) => {
      const received = readAll(stream).then(async (source) => {
        const mail = { to: session.envelope.rcptTo.map(({ address }) => address).join(','), source };
        const answer = await receiver.onMessage(mail);
        if (typeof answer !== 'number') receiver.mails.push(mail);
        conclude(answer, done);
      });
      received.catch(() => {
        unfinished++;
      });
    },
  });
  server.on('error', () => {});
  server.listen(port, '127.0.0.1');
  await once(server.server, 'listening');

  function conclude(answer: number | 'cut' | 'ok', done: (error?: Error | null) => void): void {
    if (answer === 'ok') {
      done();
    } else if (answer === 'cut') {
      for (const connection of server.connections as Set<{ _socket: { destroy: () => void } }>)
        connection._socket.destroy();
    } else {
      done(Object.assign(new Error('as the test says'), { responseCode: answer }));
    }
  }

  const receiver: MailReceiver = {
    url: `smtp://127.0.0.1:${(server.server.address() as AddressInfo).port}`,
    mails: [],
    onSender: () => 'ok',
    onRecipient: () => 'ok',
    onMessage: () => 'ok',
    unfinished: () => unfinished,
    stop: () => new Promise((resolve) => server.close(() => resolve())),
  };
  return receiver;
}

async function readAll(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

/** A header of a mail, unfolded. */
export function headerOf({ source }: ReceivedMail, name: string): string | undefined {
  const head = source.slice(0, source.indexOf('\r\n\r\n')).replace(/\r\n[ \t]+/g, ' ');
  return new RegExp(`^${name}: (.*)$`, 'im').exec(head)?.[1];
}

/** The text part, decoded from quoted-printable where need be. */
export function textOf({ source }: ReceivedMail): string {
  const part = /Content-Type: text\/plain[\s\S]*?\r\n\r\n([\s\S]*?)\r\n--/i.exec(source)?.[1] ?? source;
  const bytes = part
    .replace(/=\r\n/g, '')
    .replace(/=([0-9A-F]{2})/g, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString('utf8');
}
