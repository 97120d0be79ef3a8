/** Sends files. By XMLHttpRequest where there is one: `fetch` reports no progress of what is sent. */
import { ParleyError } from '../parley-error.ts';
import type { Attachment } from '../types.ts';
import { parseAnswer, type Server, toParleyError, withToken } from './rest.ts';
import type { TokenSource } from './token-source.ts';

export interface UploadOptions {
  /** @param share between 0 and 1. Without XMLHttpRequest, as in Node, it is told at the end only */
  readonly onProgress?: (share: number) => void;
  /** Ends the upload: the promise rejects with `aborted`. */
  readonly signal?: AbortSignal;
}

/** A file to send: a `File`, or a `Blob` with a name. */
export type UploadSource = File | { readonly name: string; readonly blob: Blob };

/** @throws ParleyError `too_large`, `aborted`, `offline`, … */
export function uploadFile(
  { server, tokens }: { readonly server: Server; readonly tokens: TokenSource },
  file: UploadSource,
  options: UploadOptions = {},
): Promise<Attachment> {
  const url = `${server.url}/v1/uploads`;
  const form = new FormData();
  form.append('file', 'blob' in file ? file.blob : file, file.name);
  return withToken(tokens, (token) =>
    typeof XMLHttpRequest === 'undefined'
      ? postByFetch(server, { url, token, form }, options)
      : postByXhr({ url, token, form }, options),
  );
}

interface Post {
  readonly url: string;
  readonly token: string;
  readonly form: FormData;
}

async function postByFetch(
  { fetch: ask }: Server,
  { url, token, form }: Post,
  { onProgress, signal }: UploadOptions,
): Promise<Attachment> {
  const answer = await ask(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
    body: form,
    ...(signal ? { signal } : {}),
  })
    .then(async (response) => ({ response, text: await response.text() }))
    .catch(() => {
      throw signal?.aborted ? toAborted() : new ParleyError('offline', 'the server cannot be reached');
    });
  if (!answer.response.ok) throw toParleyError(answer.response, parseAnswer(answer.text));
  onProgress?.(1);
  return parseAnswer(answer.text) as unknown as Attachment;
}

function postByXhr({ url, token, form }: Post, { onProgress, signal }: UploadOptions): Promise<Attachment> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const abort = () => request.abort();
    request.upload.onprogress = ({ loaded, total }) => onProgress?.(total > 0 ? loaded / total : 0);
    request.onload = () => {
      const answer = parseAnswer(request.responseText);
      if (request.status < 300) resolve(answer as unknown as Attachment);
      else reject(toParleyError({ status: request.status, statusText: 'the file was refused' }, answer));
    };
    request.onerror = () => reject(new ParleyError('offline', 'the server cannot be reached'));
    request.onabort = () => reject(toAborted());
    request.onloadend = () => signal?.removeEventListener('abort', abort);
    request.open('POST', url);
    request.setRequestHeader('authorization', `Bearer ${token}`);
    signal?.addEventListener('abort', abort);
    if (signal?.aborted) reject(toAborted());
    else request.send(form);
  });
}

function toAborted(): ParleyError {
  return new ParleyError('aborted', 'the upload was stopped');
}
