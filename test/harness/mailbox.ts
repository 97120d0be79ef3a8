/** Reads the development mailbox of a Parley as a person would: waits for a mail and follows its link. */
import { expect } from 'vitest';
import { callApi } from './test-client.ts';

export interface KeptMail {
  readonly to: string;
  readonly subject: string;
  readonly text: string;
}

/** Newest first. */
export async function mailsTo(url: string, address: string): Promise<KeptMail[]> {
  const { body } = await callApi(url, 'GET', '/dev/mailbox.json');
  return (body.items as unknown as KeptMail[]).filter(({ to }) => to === address);
}

/** Waits for the newest mail to an address with such a subject. */
export async function mailTo(url: string, address: string, subject: RegExp): Promise<KeptMail> {
  let found: KeptMail | undefined;
  await expect
    .poll(
      async () => {
        found = (await mailsTo(url, address)).find((mail) => subject.test(mail.subject));
        return found !== undefined;
      },
      { interval: 50 },
    )
    .toBe(true);
  return found!;
}

export function tokenIn({ text }: KeptMail): string {
  return /token=([\w-]{43})/.exec(text)![1]!;
}
