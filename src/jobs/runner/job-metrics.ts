/** Every metric of the jobs. */
import { Counter, Gauge, type Registry } from 'prom-client';

export type JobMetrics = ReturnType<typeof createJobMetrics>;

export function createJobMetrics(registry: Registry) {
  const registers = [registry];
  return {
    mails: new Counter({
      name: 'parley_mails_total',
      help: 'Finished mails, by kind and state',
      labelNames: ['kind', 'state'],
      registers,
    }),
    attempts: new Counter({
      name: 'parley_mail_attempts_total',
      help: 'Attempts to send a mail, by outcome',
      labelNames: ['outcome'],
      registers,
    }),
    jobs: jobsCounter(registry),
    smtpBreaker: new Gauge({
      name: 'parley_smtp_breaker_open',
      help: '1 while the SMTP server gets only probes because it fails',
      registers,
    }),
    linkFetches: new Counter({
      name: 'parley_link_fetches_total',
      help: 'Pages fetched for previews of links, by outcome: found, empty, or why there is nothing',
      labelNames: ['outcome'],
      registers,
    }),
    recovered: new Counter({
      name: 'parley_mails_recovered_total',
      help: 'Mails taken over from dead workers',
      registers,
    }),
  };
}

const jobsTotal = 'parley_jobs_total';

/** Counts the jobs of the process. The pools of both roles count together. */
export function jobsCounter(registry: Registry): Counter<'task' | 'result'> {
  const known = registry.getSingleMetric(jobsTotal) as Counter<'task' | 'result'> | undefined;
  return (
    known ??
    new Counter({
      name: jobsTotal,
      help: 'Jobs, by task and result: done, failed or not understood',
      labelNames: ['task', 'result'],
      registers: [registry],
    })
  );
}
