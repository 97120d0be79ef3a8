/** Cards of the pages that a message links to. Its author may remove them. */
import type { Message } from '../../../client/parley-client.ts';
import type { ChatStore } from '../../components/chat-store.ts';

interface LinkPreviewsProps {
  readonly store: ChatStore;
  readonly message: Message;
  readonly attempt: (work: () => Promise<unknown>) => void;
}

export function LinkPreviews({ store, message, attempt }: LinkPreviewsProps) {
  const mine = message.sender.id === store.userId;
  return (
    <ul class="previews" aria-label="Link previews">
      {(message.previews ?? []).map(({ url, title, description, siteName, imageUrl }) => (
        <li class="preview" key={url}>
          <div class="preview-text">
            <span class="hint">
              <bdi>{siteName ?? hostOf(url)}</bdi>
            </span>
            <a href={url} rel="noopener noreferrer nofollow" target="_blank" dir="auto">
              {title ?? url}
            </a>
            {description && <p dir="auto">{description}</p>}
          </div>
          {imageUrl && <img src={store.client.fileUrl(imageUrl)} alt="" loading="lazy" />}
        </li>
      ))}
      {mine && (
        <li>
          <button
            type="button"
            class="link"
            onClick={() => attempt(() => store.client.removePreviews(message.roomId, message.id))}
          >
            Remove preview
          </button>
        </li>
      )}
    </ul>
  );
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : url;
}
