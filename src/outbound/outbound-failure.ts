/** Why a request to a foreign server has no answer. The codes are shown to operators and to owners of webhooks: added to, never renamed. */
export const outboundFailures = {
  bad_url: 'it is not an absolute http or https URL without a user name',
  forbidden_port: 'only ports 80 and 443 are allowed',
  forbidden_address: 'the address is not one of the public internet',
  unknown_host: 'the host has no address',
  unreachable: 'the server could not be connected to, or broke the connection',
  timeout: 'the server did not answer in time',
  aborted: 'the request was taken back',
  bad_answer: 'the answer could not be read',
  too_large: 'the answer is too large',
  too_many_redirects: 'there are too many redirects',
  downgrade: 'a redirect leads from https to http',
} as const;

export type OutboundCode = keyof typeof outboundFailures;

/** Thrown inside this folder only: callers get the code as a value. */
export class OutboundFailure extends Error {
  readonly code: OutboundCode;

  constructor(code: OutboundCode, options?: ErrorOptions) {
    super(outboundFailures[code], options);
    this.code = code;
  }
}
