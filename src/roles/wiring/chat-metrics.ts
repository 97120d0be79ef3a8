/** Every metric of the chat role. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

export type ChatMetrics = ReturnType<typeof createChatMetrics>;

const secondsBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

const uploadBuckets = [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300];

export function createChatMetrics(registry: Registry) {
  const registers = [registry];
  const counter = <Label extends string = never>(name: string, help: string, ...labelNames: Label[]) =>
    new Counter({ name: `parley_${name}`, help, labelNames, registers });
  const gauge = <Label extends string = never>(name: string, help: string, ...labelNames: Label[]) =>
    new Gauge({ name: `parley_${name}`, help, labelNames, registers });
  const histogram = (name: string, help: string, buckets: number[]) =>
    new Histogram({ name: `parley_${name}`, help, buckets, registers });
  const poolRunning = gauge('database_running', 'Queries and transactions that hold a connection', 'pool');
  const poolWaiting = gauge('database_waiting', 'Queries and transactions that wait for a connection', 'pool');
  const poolLimits = counter(
    'database_limits_total',
    'Queries refused because no connection was free, and connections dropped because they did not answer',
    'pool',
    'what',
  );
  return {
    pool: (pool: string) => ({
      onUse: (running: number, waiting: number) => {
        poolRunning.set({ pool }, running);
        poolWaiting.set({ pool }, waiting);
      },
      onLimit: (what: 'refused' | 'dropped') => poolLimits.inc({ pool, what }),
    }),
    hub: {
      delivered: counter('events_delivered_total', 'Events written to sockets, counted once per reader'),
      deliverySeconds: histogram(
        'delivery_seconds',
        'Time from the arrival of an event at this instance to the write to its last reader, measured for the oldest event of each flush',
        secondsBuckets,
      ),
      backfills: counter(
        'gap_backfills_total',
        'Catch-ups: times that missing events of a room were read from the log',
      ),
      feeds: gauge('rooms_in_memory', 'Rooms kept in memory'),
      connections: gauge('sockets_welcomed', 'Sockets that completed the handshake'),
    },
    eventLog: {
      batches: histogram('commit_batch_size', 'Sends of one commit', [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]),
      commitSeconds: histogram('commit_seconds', 'Time of one group commit', secondsBuckets),
      conflicts: counter('seq_conflicts_total', 'Appends repeated because another instance took the seq first'),
      sends: counter('sends_total', 'Sends by outcome', 'outcome'),
    },
    sockets: {
      frames: counter('frames_total', 'Client frames by type', 'type'),
      errors: counter('frame_errors_total', 'Error frames by code', 'code'),
      closes: counter(
        'socket_closes_total',
        'Sockets closed by the server, by code; 1006: clients that stopped answering',
        'code',
      ),
      dropped: counter('ephemeral_dropped_total', 'Signals (frames without a seq) dropped for slow readers'),
    },
    requests: {
      errors: counter('request_errors_total', 'Requests that were refused or failed, by code', 'code'),
      dropped: counter('connections_refused_total', 'TCP connections refused because too many were open'),
    },
    /** Values that are read when metrics are collected. */
    watch: ({
      queueBytes,
      sendsWaiting,
      replaysWaiting,
    }: Record<'queueBytes' | 'sendsWaiting' | 'replaysWaiting', () => number>) => {
      const watched = (name: string, help: string, value: () => number) =>
        new Gauge({
          name: `parley_${name}`,
          help,
          registers,
          collect() {
            this.set(value());
          },
        });
      watched('socket_queue_bytes', 'Bytes queued for readers, over all sockets', queueBytes);
      watched('replays_waiting', 'Rooms whose replay or catch-up waits for a query', replaysWaiting);
      watched('sends_waiting', 'Sends that wait for their commit', sendsWaiting);
    },
    stalls: counter('stalls_total', 'Process pauses after which revocations and memberships were read again'),
    welcome: {
      resumes: counter('resumes_total', 'Resumed rooms, by result', 'result'),
      waiting: gauge('hellos_waiting', 'Hellos that wait to be handled'),
      refused: counter('hellos_refused_total', 'Hellos and upgrades refused because too many wait'),
    },
    uploads: {
      uploads: counter('uploads_total', 'Uploads by outcome: stored, or the code of the failure', 'outcome'),
      bytes: counter('file_bytes_total', 'Bytes of files that were stored (in) and served (out)', 'direction'),
      seconds: histogram('upload_seconds', 'Time of an upload, from its first byte to its answer', uploadBuckets),
      storeFailures: counter('file_store_failures_total', 'Operations that the file store failed', 'operation'),
      deleted: counter('files_deleted_total', 'Files whose bytes the store has confirmed to be gone'),
    },
    databaseIsolation: gauge('cut_off', '1 while only this instance has lost the database'),
    hints: {
      published: counter('hints_published_total', 'Hints sent to Redis'),
      dropped: counter('hints_dropped_total', 'Hints dropped because Redis is unavailable or slow'),
      received: counter('hints_received_total', 'Hints received from other instances'),
      up: gauge('hints_up', '1 while the connection for hints works'),
    },
    presence: {
      changes: counter('presence_changes_total', 'Changes of presence that other instances were told of'),
      bytes: counter('presence_hint_bytes_total', 'Bytes of the hints about presence'),
      shared: gauge('presence_shared', '1 while presence is shared with other instances over Redis'),
      watched: gauge('presence_watched', 'People whose presence a connection of this instance watches'),
      sent: counter('presence_frames_total', 'presence frames sent to watchers'),
    },
    verdicts: counter('verdicts_total', 'Verdicts by source', 'source'),
    verdictRetries: counter(
      'verdict_retries_total',
      'Drafts without a verdict from the first processing instance, by outcome: retried at a second one, or over_budget',
      'outcome',
    ),
    judgeSeconds: histogram('judge_seconds', 'Time from sending a draft to its verdict', secondsBuckets),
    breakers: gauge('breaker_open', '1 while a circuit breaker is open', 'peer'),
  };
}
