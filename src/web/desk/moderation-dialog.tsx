/** Moderation of one room, or of all rooms for staff. */
import { useState } from 'preact/hooks';
import { Dialog } from '../components/dialog.tsx';
import { LessonsPane } from './moderation-lessons.tsx';
import { AuditPane, BansPane, RefusalsPane } from './moderation-lists.tsx';
import { PacePane } from './moderation-pace.tsx';
import type { ModerationPaneProps } from './moderation-pane-props.ts';
import { QueuePane } from './moderation-queue.tsx';
import { RulesPane } from './moderation-rules.tsx';

const panes = {
  queue: 'Queue',
  rules: 'Rules',
  bans: 'Bans',
  blocked: 'Blocked',
  pace: 'Slow mode',
  learned: 'Learned',
  log: 'Log',
} as const;
type Pane = keyof typeof panes;
/** Slow mode belongs to a room; lessons belong to the deployment. */
const shownFor = (pane: Pane, roomId: string | undefined): boolean =>
  pane === 'pace' ? roomId !== undefined : pane !== 'learned' || roomId === undefined;

export function ModerationDialog({
  store,
  roomId,
  name,
  onClose,
}: ModerationPaneProps & { name: string; onClose: () => void }) {
  const [pane, setPane] = useState<Pane>('queue');
  const props = { store, roomId };
  return (
    <Dialog
      title={
        <>
          Moderation of <bdi>{name}</bdi>
        </>
      }
      look="wide"
      onClose={onClose}
    >
      <div class="settings moderation">
        <nav aria-label="Moderation">
          <ul>
            {(Object.keys(panes) as Pane[])
              .filter((each) => shownFor(each, roomId))
              .map((each) => (
                <li key={each}>
                  <button type="button" aria-current={pane === each ? 'page' : undefined} onClick={() => setPane(each)}>
                    {panes[each]}
                  </button>
                </li>
              ))}
          </ul>
        </nav>
        <div class="settings-body">
          {pane === 'queue' && <QueuePane {...props} />}
          {pane === 'rules' && <RulesPane {...props} />}
          {pane === 'bans' && <BansPane {...props} />}
          {pane === 'blocked' && <RefusalsPane {...props} />}
          {pane === 'pace' && <PacePane {...props} />}
          {pane === 'learned' && <LessonsPane {...props} />}
          {pane === 'log' && <AuditPane {...props} />}
        </div>
      </div>
    </Dialog>
  );
}
