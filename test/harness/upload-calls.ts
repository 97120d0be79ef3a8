/** Uploads and downloads of tests. */
import type { Attachment } from '../../src/client/types.ts';
import type { Answer, TestUser } from './test-client.ts';
import { mustCall } from './test-client.ts';

/** With whatever else an answer may hold. */
export type UploadedFile = Attachment & Readonly<Record<string, unknown>>;

export function formOf(bytes: Uint8Array | string, name: string, type = 'application/octet-stream'): FormData {
  const form = new FormData();
  form.append('file', new File([bytes as BlobPart], name, { type }));
  return form;
}

export async function tryUpload(
  url: string,
  user: TestUser,
  bytes: Uint8Array | string,
  name = 'file.bin',
  type?: string,
): Promise<Answer> {
  const response = await fetch(`${url}/v1/uploads`, {
    method: 'POST',
    headers: { authorization: `Bearer ${user.accessToken}` },
    body: formOf(bytes, name, type),
  });
  return { status: response.status, headers: response.headers, body: (await response.json()) as Answer['body'] };
}

export async function upload(
  url: string,
  user: TestUser,
  bytes: Uint8Array | string,
  name?: string,
  type?: string,
): Promise<UploadedFile> {
  const { status, body } = await tryUpload(url, user, bytes, name, type);
  if (status !== 201) throw new Error(`the upload was answered ${status}: ${JSON.stringify(body)}`);
  return body as unknown as UploadedFile;
}

let sent = 0;

/** Sends a message with files. */
export function sendFiles(user: TestUser, roomId: string, attachmentIds: readonly string[], text = '') {
  sent += 1;
  const draft = { clientId: `files-${process.pid}-${sent}`, text, attachmentIds };
  return mustCall(user, 'POST', `/v1/rooms/${roomId}/messages`, draft) as Promise<
    { id: string; text: string; attachments: UploadedFile[] } & Record<string, unknown>
  >;
}

/** Fetches without a login. @param link as in a message: relative to the server */
export function fetchLink(url: string, link: string, init: RequestInit = {}): Promise<Response> {
  return fetch(new URL(link, url), init);
}

/** Fetches a file with a login. */
export function fetchAs(
  url: string,
  user: TestUser,
  path: string,
  { headers = {}, ...init }: { method?: string; headers?: Record<string, string> } = {},
): Promise<Response> {
  return fetch(`${url}/v1/attachments/${path}`, {
    ...init,
    headers: { authorization: `Bearer ${user.accessToken}`, ...headers },
  });
}
