/** Answers bytes that Node could not read as a request, or did not get in time, with a problem of the API. */
import { type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { Failure, type FailureCode } from '../../errors.ts';
import { problemOf } from './problem.ts';

/** @param code an error code of Node's HTTP parser, or `ERR_HTTP_REQUEST_TIMEOUT` */
export function answerUnreadable(
  { code }: { readonly code?: string },
  socket: Socket,
  onRefused: (code: FailureCode) => void,
): void {
  const { _httpMessage: begun } = socket as Socket & { _httpMessage?: ServerResponse };
  // Browsers and proxies open connections in advance. They would take an answer for that of their next request.
  const unused = code === 'ERR_HTTP_REQUEST_TIMEOUT' && socket.bytesRead === 0;
  if (!socket.writable || begun?.headersSent || unused) {
    socket.destroy();
    return;
  }
  const failure = failureOf(code);
  onRefused(failure.code);
  const { http: status } = failure.kind;
  const body = JSON.stringify(problemOf(failure));
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: application/problem+json; charset=utf-8\r\n`;
  socket.end(`${head}content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`, () =>
    socket.destroy(),
  );
}

function failureOf(code: string | undefined): Failure {
  if (code === 'HPE_HEADER_OVERFLOW') return new Failure('headers_too_large', 'the headers are too large');
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return new Failure('request_timeout', 'the request did not arrive in time');
  return new Failure('invalid', 'not an HTTP/1.1 request');
}
