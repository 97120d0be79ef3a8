/** An authenticator in software: makes a passkey (Web Authentication §6, ES256, attestation `none`) and answers with it. */
import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';

interface Ceremony {
  readonly ceremony: string;
  readonly options: { readonly challenge: string };
}

export interface SoftwareAuthenticator {
  readonly id: string;
  /** @param verified whether it claims to have verified its owner */
  readonly register: (begun: Ceremony, verified: boolean) => object;
  readonly prove: (begun: Ceremony, verified: boolean) => object;
}

const sha256 = (data: Buffer | string) => createHash('sha256').update(data).digest();
/** Flags of §6.1: user present, user verified, attested credential data. */
const [present, asked, attested] = [0x01, 0x04, 0x40];

export function createSoftwareAuthenticator(origin: string): SoftwareAuthenticator {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { x, y } = publicKey.export({ format: 'jwk' }) as { x: string; y: string };
  const credential = randomBytes(32);
  const id = credential.toString('base64url');

  function clientData(type: string, { options }: Ceremony): Buffer {
    return Buffer.from(JSON.stringify({ type, challenge: options.challenge, origin, crossOrigin: false }));
  }

  function authenticatorData(verified: boolean, rest: Buffer = Buffer.alloc(0)): Buffer {
    const flags = present | (verified ? asked : 0) | (rest.length > 0 ? attested : 0);
    return Buffer.concat([sha256(new URL(origin).hostname), Buffer.from([flags]), Buffer.alloc(4), rest]);
  }

  function answer({ ceremony }: Ceremony, response: Record<string, Buffer>): object {
    const encoded = Object.entries(response).map(([name, value]) => [name, value.toString('base64url')]);
    return {
      ceremony,
      response: {
        id,
        rawId: id,
        type: 'public-key',
        clientExtensionResults: {},
        response: Object.fromEntries(encoded) as object,
      },
    };
  }

  return {
    id,
    register: (begun, verified) => {
      // COSE_Key (RFC 9052 §7): EC2, ES256, P-256, then both coordinates.
      const coordinate = (label: number, value: string) =>
        Buffer.concat([Buffer.from([label, 0x58, 0x20]), Buffer.from(value, 'base64url')]);
      const cose = Buffer.concat([
        Buffer.from([0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01]),
        coordinate(0x21, x),
        coordinate(0x22, y),
      ]);
      const length = Buffer.from([0, credential.length]);
      const data = authenticatorData(verified, Buffer.concat([Buffer.alloc(16), length, credential, cose]));
      // {fmt: 'none', attStmt: {}, authData} in CBOR.
      const attestationObject = Buffer.concat([
        Buffer.from([0xa3, 0x63]),
        Buffer.from('fmt'),
        Buffer.from([0x64]),
        Buffer.from('none'),
        Buffer.from([0x67]),
        Buffer.from('attStmt'),
        Buffer.from([0xa0, 0x68]),
        Buffer.from('authData'),
        Buffer.from([0x59, data.length >> 8, data.length & 0xff]),
        data,
      ]);
      return answer(begun, { clientDataJSON: clientData('webauthn.create', begun), attestationObject });
    },
    prove: (begun, verified) => {
      const clientDataJSON = clientData('webauthn.get', begun);
      const data = authenticatorData(verified);
      const signature = sign('sha256', Buffer.concat([data, sha256(clientDataJSON)]), privateKey);
      return answer(begun, { clientDataJSON, authenticatorData: data, signature });
    },
  };
}
