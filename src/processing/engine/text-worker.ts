/** The engine's thread: judges and renders one text at a time with the state that it was given last. */
import { type Assessment, type AssessPolicy, createAssessor } from '../../spam/assess.ts';
import { type Classifier, createClassifier, type Learned, type Model } from '../../spam/classifier/classifier.ts';
import { createExtractor, type Extractor } from '../../spam/classifier/features.ts';
import { readModel } from '../../spam/classifier/model-file.ts';
import { createLinkPolicy, type LinkPolicy, type LinkSettings } from '../../spam/links/link-policy.ts';
import { createRuleBook, type Rule, type RuleBook, type RuleHits } from '../../spam/rules/rules.ts';
import { blockedAnyway, confirm } from '../../spam/second-sign.ts';
import { createTermMatcher, type TermLists } from '../../spam/terms/terms.ts';
import { createNormaliser, type Lookalikes } from '../../spam/text/normalise.ts';
import {
  createToxicityClassifier,
  createToxicityExtractor,
  type LearnedToxicity,
  type ToxicityExtractor,
  type ToxicityModel,
} from '../../spam/toxicity/toxicity.ts';
import { readToxicityModel } from '../../spam/toxicity/toxicity-file.ts';
import { render } from '../../transform/render.ts';
import { serveTasks } from '../pool/worker-thread.ts';
import type { ThreadResult } from './engine.ts';
import type { SenderHistory, TextTask } from './text-task.ts';

export interface TextState {
  readonly policy: AssessPolicy;
  readonly model: Uint8Array;
  readonly toxicity: Uint8Array;
  readonly lookalikes: Lookalikes;
  readonly terms: TermLists;
  readonly emoji: Readonly<Record<string, string>>;
  readonly links: LinkSettings;
  /** Ordinary lines for warming a new thread up. */
  readonly chatSample: readonly string[];
  /** What moderators taught. The weights are in memory that all threads share. */
  readonly learned: Learned | undefined;
  readonly learnedToxicity: LearnedToxicity | undefined;
  /** Of the deployment and of rooms. */
  readonly rules: readonly Rule[];
}

/** What is compiled from the shipped lists. Reloads do not change it. */
interface Lists {
  readonly normalise: ReturnType<typeof createNormaliser>;
  readonly terms: ReturnType<typeof createTermMatcher>;
  readonly toxicityModel: ToxicityModel;
  readonly extractToxicity: ToxicityExtractor;
  readonly emoji: ReadonlyMap<string, string>;
  readonly model: Model;
  readonly extract: Extractor;
  readonly untaught: Classifier;
  readonly links: LinkPolicy;
}

interface Ready {
  readonly lists: Lists;
  readonly rules: RuleBook;
  readonly policy: AssessPolicy;
  readonly assess: (text: string, policy: AssessPolicy, sender?: SenderHistory) => Assessment;
}

let ready: Ready;

function compileLists({ lookalikes, terms, toxicity, emoji, links, model: bytes }: TextState): Lists {
  const model = readModel(bytes);
  const toxicityModel = readToxicityModel(toxicity);
  const normalise = createNormaliser(lookalikes);
  const extract = createExtractor(model.lexicon);
  return {
    model,
    extract,
    untaught: createClassifier(model, undefined, extract),
    normalise,
    links: createLinkPolicy(links, normalise),
    terms: createTermMatcher(terms, normalise),
    toxicityModel,
    extractToxicity: createToxicityExtractor(toxicityModel),
    emoji: new Map(Object.entries(emoji)),
  };
}

/** Texts for warming a new thread up, which takes 0.1 s. First texts take seven times as long as later ones; after the warm-up, less than twice. */
const warmUpTexts = 600;

function warmUp({ chatSample, policy }: TextState): void {
  const marked =
    '**a** `b` ~~c~~ [d](https://a.example) > e\n\n- [x] www.a.example @ana, ana@a.example :tada: &amp; <b>\n';
  for (const text of [...chatSample.slice(0, warmUpTexts), marked, `# ${marked}`, `|a|\n|-|\n|${marked}`]) {
    ready.assess(text, policy);
    render(text, { emoji: ready.lists.emoji });
  }
}

serveTasks<TextTask, ThreadResult, TextState>({
  apply: (state, changed) => {
    const listsChanged = (['lookalikes', 'terms', 'toxicity', 'emoji', 'model', 'links'] as const).some((part) =>
      changed.has(part),
    );
    const lists = listsChanged ? compileLists(state) : ready.lists;
    const { normalise, terms, toxicityModel, extractToxicity, links, model, extract } = lists;
    const toxicity = createToxicityClassifier(toxicityModel, state.learnedToxicity, extractToxicity);
    const classifier = createClassifier(model, state.learned, extract);
    const untaught = state.learned ? lists.untaught : undefined;
    const assess = createAssessor({ normalise, terms, toxicity, classifier, untaught, links });
    const rulesChanged = listsChanged || changed.has('rules');
    const rules = rulesChanged ? createRuleBook(state.rules, { normalise, lists: state.terms }) : ready.rules;
    ready = { lists, policy: state.policy, assess, rules };
    if (listsChanged) warmUp(state);
  },
  run: ({ text, kind, assess, render: wanted, policy, sender, roomId }, stages) => {
    const { lists, policy: standing, assess: assessText, rules } = ready;
    const assessment = assess
      ? withRules(assessText(text, { ...standing, ...policy }, sender), rules.match(text, roomId))
      : { outcome: 'allow' as const, spamScore: 0, labels: [], fingerprint: undefined };
    stages.lap('assess');
    // Names and topics are shown as plain text.
    const rendered =
      wanted && (kind === 'message' || kind === 'edit')
        ? render(text, { emoji: lists.emoji })
        : { html: '', links: [], mentions: [] };
    stages.lap('render');
    return { ...assessment, ...rendered };
  },
});

/** Combines the engine's and the rules' verdicts: the graver action counts, with the labels of both. A matching rule is a second sign for the score. */
function withRules(assessment: Assessment, hits: RuleHits | undefined): Assessment {
  if (!hits) return assessment;
  const both = { ...assessment, labels: [...assessment.labels, ...hits.labels] };
  if (hits.action === 'block') return blockedAnyway(both);
  return confirm(both, 'rule') ?? { ...both, outcome: assessment.outcome === 'block' ? 'block' : 'flag' };
}
