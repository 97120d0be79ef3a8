/**
 * A text on the wire that is no UTF-8 fails the whole message in the protobuf library, as an internal error that names nothing.
 * Here it is read with an unpaired surrogate at its end, which UTF-8 cannot carry: the readers of the fields refuse it by name.
 */
import { configureTextEncoding, getTextEncoding } from '@bufbuild/protobuf/wire';

const marker = '\ud800';
let configured = false;

/** For this process, once; reading is as strict as before for whoever asks `isWellFormed()`. */
export function markInvalidUtf8(): void {
  if (configured) return;
  configured = true;
  const library = getTextEncoding();
  configureTextEncoding({
    ...library,
    decodeUtf8: (bytes, strict) => {
      try {
        return library.decodeUtf8(bytes, strict);
      } catch {
        return library.decodeUtf8(bytes, false) + marker;
      }
    },
  });
}
