/** Every metric of the jobs. */
import { Counter, Gauge, type Registry } from 'prom-client';

export type JobMetrics = ReturnType<typeof createJobMetrics>;

export function createJobMetrics(registry: Registry) {
  const registers = [registry];
  return {
    mails: new Counter({
      name: 'parley_mails_total',
      help: 'Mails that are done with, by kind and state',
      labelNames: ['kind', 'state'],
      registers,
    }),
    attempts: new Counter({
      name: 'parley_mail_attempts_total',
      help: 'Conversations about a mail, by outcome',
      labelNames: ['outcome'],
      registers,
    }),
    jobs: new Counter({
      name: 'parley_jobs_total',
      help: 'Jobs by task and whether they were done, failed or not understood',
      labelNames: ['task', 'result'],
      registers,
    }),
    smtpBreaker: new Gauge({
      name: 'parley_smtp_breaker_open',
      help: '1 while only probes go to the SMTP server',
      registers,
    }),
    recovered: new Counter({
      name: 'parley_mails_recovered_total',
      help: 'Mails taken over from dead workers',
      registers,
    }),
  };
}
