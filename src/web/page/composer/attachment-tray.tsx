/** The files of the message that is being written, with their progress. */
import { Icon } from '../../components/icon.tsx';
import { formatSize } from '../message/attachments.tsx';
import type { Uploads } from './use-uploads.ts';

export function AttachmentTray({ uploads }: { uploads: Uploads }) {
  if (uploads.all.length === 0) return null;
  return (
    <ul class="tray" aria-label="Files of this message">
      {uploads.all.map(({ key, name, size, localUrl, progress, problem, attachment }) => (
        <li key={key} class={problem ? 'failed' : ''}>
          {/* The picture on this device; the policy of the page allows no `blob:` addresses beside its own. */}
          {localUrl && attachment?.thumbnailUrl ? <img src={attachment.thumbnailUrl} alt="" /> : <Icon name="file" />}
          <span class="tray-name">
            <bdi>{name}</bdi>
            <span class="hint">{formatSize(size)}</span>
          </span>
          {!attachment && !problem && <progress value={progress} max={1} aria-label={`Uploading ${name}`} />}
          {problem && (
            <span class="problem" role="alert">
              {problem}
            </span>
          )}
          <button type="button" class="icon-button" aria-label={`Remove ${name}`} onClick={() => uploads.remove(key)}>
            ✕
          </button>
        </li>
      ))}
    </ul>
  );
}
