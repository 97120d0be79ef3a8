/** Sends files. By XMLHttpRequest: `fetch` reports no progress of what is sent. */
import { ClientError } from './client-error.ts';
import type { Session } from './session.ts';
import type { Attachment } from './types.ts';

export interface UploadOptions {
  /** @param share between 0 and 1 */
  readonly onProgress?: (share: number) => void;
  /** Ends the upload: the promise rejects with `aborted`. */
  readonly signal?: AbortSignal;
}

/** @throws ClientError `too_large`, `aborted`, `offline`, … */
export async function uploadFile(
  { base, session }: { readonly base: string; readonly session: Session },
  file: File,
  options: UploadOptions = {},
): Promise<Attachment> {
  const token = await session.token();
  try {
    return await post(base, token, file, options);
  } catch (error) {
    const ended = error instanceof ClientError && (error.code === 'token_expired' || error.code === 'unauthenticated');
    if (!ended) throw error;
    return post(base, await session.renew(token), file, options);
  }
}

function post(base: string, token: string, file: File, { onProgress, signal }: UploadOptions): Promise<Attachment> {
  const form = new FormData();
  form.append('file', file, file.name);
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const abort = () => request.abort();
    request.upload.onprogress = ({ loaded, total }) => onProgress?.(total > 0 ? loaded / total : 0);
    request.onload = () => {
      const answer = parse(request.responseText);
      if (request.status < 300) resolve(answer as Attachment);
      else reject(toError(request.status, answer));
    };
    request.onerror = () => reject(new ClientError('offline', 'the server cannot be reached'));
    request.onabort = () => reject(new ClientError('aborted', 'the upload was stopped'));
    request.onloadend = () => signal?.removeEventListener('abort', abort);
    request.open('POST', `${base}/v1/uploads`);
    request.setRequestHeader('authorization', `Bearer ${token}`);
    signal?.addEventListener('abort', abort);
    if (signal?.aborted) reject(new ClientError('aborted', 'the upload was stopped'));
    else request.send(form);
  });
}

function toError(status: number, answer: { code?: string; detail?: string }): ClientError {
  const { code = status >= 500 ? 'unavailable' : 'invalid', detail = 'the file was refused', ...details } = answer;
  return new ClientError(code, detail, details);
}

function parse(text: string): { code?: string; detail?: string } {
  try {
    return JSON.parse(text) as { code?: string; detail?: string };
  } catch {
    return {};
  }
}
