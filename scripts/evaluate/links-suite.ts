/** The link policy: the exact verdict on every row, and what is said of ordinary chat with links in it. */
import { createLinkPolicy } from '../../src/spam/links/link-policy.ts';
import { linkSettings, rows, shipped } from './shipped.ts';
import { type Row, type Suite, share } from './suite.ts';

interface LinkRow {
  readonly text: string;
  readonly category: string;
  readonly verdict: 'allow' | 'flag' | 'block';
}

export const linksSuite: Suite = {
  name: 'links',
  title: 'The link policy, with the deny list of the data set',
  quick: true,
  run: () => {
    const { normalise } = shipped();
    const policy = createLinkPolicy(linkSettings, normalise);
    const judge = (text: string): LinkRow['verdict'] => {
      const actions = policy(normalise(text), text).map(({ action }) => action);
      return actions.includes('block') ? 'block' : actions.includes('flag') ? 'flag' : 'allow';
    };
    const all = rows<LinkRow>('links/links.dev.jsonl');
    const right = all.filter(({ text, verdict }) => judge(text) === verdict);
    const wrong = all.filter(({ text, verdict }) => judge(text) !== verdict);
    const innocent = all.filter(({ verdict }) => verdict === 'allow');
    // Rows that lead to a host of the deny list and are yet labelled `flag`: the policy says block, and so do we.
    const stricter = wrong.filter(
      ({ text, verdict }) => verdict === 'flag' && judge(text) === 'block' && /bad\.example|scam-site\.test/.test(text),
    );
    const found: Row[] = [
      {
        name: 'all rows',
        figures: {
          exact: share(right.length / all.length, { least: 0.94, goal: 0.98 }),
          'exact, deny list first': share((right.length + stricter.length) / all.length, { least: 0.98 }),
          'false alarms': share(innocent.filter(({ text }) => judge(text) !== 'allow').length / innocent.length, {
            most: 0,
          }),
        },
      },
    ];
    const chat = rows('ham/irc-ubuntu.dev.jsonl.gz').filter(({ text }) => /https?:|www\./.test(text));
    found.push({
      name: 'ordinary chat with links',
      figures: {
        flagged: share(chat.filter(({ text }) => judge(text) === 'flag').length / chat.length),
        blocked: share(chat.filter(({ text }) => judge(text) === 'block').length / chat.length, { most: 0.01 }),
      },
    });
    return found;
  },
};
