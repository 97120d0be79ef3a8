/** The files that a message being written will hold: each is uploaded at once, and can be taken back. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { type Attachment, ClientError } from '../../../client/parley-client.ts';
import { randomKey } from '../../../client/random-key.ts';
import { type ChatStore, explainRefusal } from '../../components/chat-store.ts';

/** The server's bound for one message. */
const filesMax = 10;

export interface Upload {
  readonly key: string;
  readonly name: string;
  readonly size: number;
  /** Of a picture, on this device. */
  readonly localUrl: string | undefined;
  /** Between 0 and 1. */
  readonly progress: number;
  /** Why it failed, in words; empty when it did not. */
  readonly problem: string;
  readonly attachment: Attachment | undefined;
}

export interface Uploads {
  readonly all: readonly Upload[];
  /** None is under way, and none has failed. */
  readonly settled: boolean;
  readonly add: (files: Iterable<File>) => void;
  /** Stops the upload, or takes the file from the message. */
  readonly remove: (key: string) => void;
  readonly clear: () => void;
}

export function useUploads({ client }: ChatStore): Uploads {
  const [all, setAll] = useState<readonly Upload[]>([]);
  const stops = useRef(new Map<string, AbortController>());
  const change = (key: string, changes: Partial<Upload>) =>
    setAll((before) => before.map((each) => (each.key === key ? { ...each, ...changes } : each)));

  useEffect(
    () => () => {
      for (const stop of stops.current.values()) stop.abort();
    },
    [],
  );

  async function start(key: string, file: File): Promise<void> {
    const stop = new AbortController();
    stops.current.set(key, stop);
    try {
      const onProgress = (progress: number) => change(key, { progress });
      const attachment = await client.upload(file, { onProgress, signal: stop.signal });
      change(key, { attachment, progress: 1 });
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      if (error.code !== 'aborted') change(key, { problem: explainRefusal(error) });
    } finally {
      stops.current.delete(key);
    }
  }

  function forget(uploads: readonly Upload[]): void {
    for (const { key, localUrl } of uploads) {
      stops.current.get(key)?.abort();
      if (localUrl) URL.revokeObjectURL(localUrl);
    }
  }

  return {
    all,
    settled: all.every(({ attachment }) => attachment !== undefined),
    add: (files) => {
      const added = [...files].slice(0, filesMax - all.length).map((file) => ({ file, upload: toUpload(file) }));
      setAll([...all, ...added.map(({ upload }) => upload)]);
      for (const { file, upload } of added) void start(upload.key, file);
    },
    remove: (key) => {
      forget(all.filter((each) => each.key === key));
      setAll(all.filter((each) => each.key !== key));
    },
    clear: () => {
      forget(all);
      setAll([]);
    },
  };
}

function toUpload(file: File): Upload {
  const localUrl = file.type.startsWith('image/') ? URL.createObjectURL(file) : undefined;
  return {
    ...{ key: randomKey(), name: file.name, size: file.size, localUrl },
    ...{ progress: 0, problem: '', attachment: undefined },
  };
}
