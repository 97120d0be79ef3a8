/**
 * Lets the service name the field of a text that is not UTF-8. The protobuf library would fail the whole message with an internal
 * error. Here such a text is read with an unpaired surrogate at its end, which valid UTF-8 cannot contain, so the field's
 * reader recognises and refuses it.
 */
import { configureTextEncoding, getTextEncoding } from '@bufbuild/protobuf/wire';

const marker = '\ud800';
let configured = false;

/** Installs the reader for this process, once. Code that checks `isWellFormed()` is as strict as before. */
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
