/** 128 random bits as hexadecimal digits. Unlike `crypto.randomUUID` this works on pages without TLS too. */
export function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
