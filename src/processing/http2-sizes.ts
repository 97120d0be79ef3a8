/** HTTP/2 sizes that client and server set. With the protocol's defaults a batch of 256 texts waits for window updates. */

/** Bytes in flight of one stream. */
export const streamWindowBytes = 1024 * 1024;
/** Bytes in flight of one connection. */
export const connectionWindowBytes = 4 * 1024 * 1024;
/** Bytes of one frame: large batches in few frames. */
export const frameBytes = 256 * 1024;
