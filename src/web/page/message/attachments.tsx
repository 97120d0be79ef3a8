/** The files of a message: pictures in a grid, sound and video with controls, others to download. */
import { lazy, Suspense } from 'preact/compat';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Attachment, Message } from '../../../client/parley-client.ts';
import type { ChatStore } from '../../components/chat-store.ts';
import { Icon } from '../../components/icon.tsx';

/** Loaded when the first picture is opened. */
const ImageViewer = lazy(() => import('./image-viewer.tsx').then((module) => module.ImageViewer));

const isPicture = ({ type, thumbnailUrl }: Attachment) => type.startsWith('image/') && thumbnailUrl !== null;

export function Attachments({ store, message }: { store: ChatStore; message: Message }) {
  const [opened, setOpened] = useState<number>();
  const pictures = message.attachments.filter(isPicture);
  const others = message.attachments.filter((each) => !isPicture(each));
  /** Links expire: the message is read again, once. */
  const renewed = useRef(false);
  function renew(): void {
    if (renewed.current) return;
    renewed.current = true;
    store.stores.readMessage(message.roomId, message.id).catch(() => undefined);
  }
  return (
    <div class="attachments">
      {pictures.length > 0 && (
        <ul class={`pictures ${pictures.length === 1 ? 'single' : ''}`} aria-label="Pictures">
          {pictures.map((picture, index) => (
            <li key={picture.id}>
              <button type="button" onClick={() => setOpened(index)} aria-label={`Open picture ${picture.name}`}>
                <Thumbnail
                  picture={picture}
                  url={store.client.fileUrl(picture.thumbnailUrl ?? picture.url)}
                  onError={renew}
                />
              </button>
            </li>
          ))}
        </ul>
      )}
      {others.map((file) => (
        <OtherFile key={file.id} file={file} url={store.client.fileUrl(file.url)} onError={renew} />
      ))}
      {opened !== undefined && (
        <Suspense fallback={null}>
          <ImageViewer
            pictures={pictures}
            first={opened}
            toUrl={store.client.fileUrl}
            onClose={() => setOpened(undefined)}
          />
        </Suspense>
      )}
    </div>
  );
}

/** Its placeholder is drawn until the picture is there. */
function Thumbnail({ picture, url, onError }: { picture: Attachment; url: string; onError: () => void }) {
  const { name, width, height, blurhash } = picture;
  const [loaded, setLoaded] = useState(false);
  return (
    <span class="thumbnail">
      {blurhash && !loaded && <Placeholder blurhash={blurhash} />}
      <img
        src={url}
        alt={name}
        loading="lazy"
        width={width ?? undefined}
        height={height ?? undefined}
        onLoad={() => setLoaded(true)}
        onError={onError}
      />
    </span>
  );
}

const placeholderPx = 24;

function Placeholder({ blurhash }: { blurhash: string }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    let gone = false;
    void import('blurhash').then(({ decode, isBlurhashValid }) => {
      const context = canvas.current?.getContext('2d');
      if (gone || !context || !isBlurhashValid(blurhash).result) return;
      const pixels = decode(blurhash, placeholderPx, placeholderPx);
      context.putImageData(new ImageData(new Uint8ClampedArray(pixels), placeholderPx, placeholderPx), 0, 0);
    });
    return () => {
      gone = true;
    };
  }, [blurhash]);
  return <canvas ref={canvas} width={placeholderPx} height={placeholderPx} />;
}

function OtherFile({ file, url, onError }: { file: Attachment; url: string; onError: () => void }) {
  const { name, type, size } = file;
  if (type.startsWith('video/'))
    // biome-ignore lint/a11y/useMediaCaption: people send videos without captions
    return <video class="video" src={url} controls preload="metadata" aria-label={name} onError={onError} />;
  return (
    <div class="file">
      {type.startsWith('audio/') ? (
        // biome-ignore lint/a11y/useMediaCaption: people send sound without captions
        <audio src={url} controls preload="none" aria-label={name} onError={onError} />
      ) : (
        <Icon name="file" />
      )}
      <a class="file-name" href={url} download={name} target="_blank" rel="noopener">
        <bdi>{name}</bdi>
        <span class="hint">
          {' '}
          {type === 'application/pdf' ? 'PDF · ' : ''}
          {formatSize(size)}
        </span>
      </a>
    </div>
  );
}

const units = ['B', 'kB', 'MB', 'GB'];

/** @param bytes of a file. @returns e.g. `1.4 MB` */
export function formatSize(bytes: number): string {
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  const value = bytes / 1000 ** power;
  return `${value < 10 && power > 0 ? value.toFixed(1) : Math.round(value)} ${units[power]}`;
}
