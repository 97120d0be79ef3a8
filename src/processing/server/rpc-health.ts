/** `grpc.health.v1`: whether this server takes calls. Needs no token, so that any prober can call it. */
import { create } from '@bufbuild/protobuf';
import { Code, ConnectError, type ServiceImpl } from '@connectrpc/connect';
import {
  type Health,
  HealthCheckResponse_ServingStatus,
  HealthCheckResponseSchema,
  HealthListResponseSchema,
} from '../../gen/grpc/health/v1/health_pb.ts';

export interface HealthStatus {
  readonly service: ServiceImpl<typeof Health>;
  readonly set: (serving: boolean) => void;
}

/** @param services full names that may be requested, besides the empty one, which means the server */
export function createHealthStatus(services: readonly string[], ending: AbortSignal): HealthStatus {
  let serving = true;
  const watchers = new Set<() => void>();
  const known = new Set(['', ...services]);

  function status() {
    const { SERVING, NOT_SERVING } = HealthCheckResponse_ServingStatus;
    return create(HealthCheckResponseSchema, { status: serving ? SERVING : NOT_SERVING });
  }

  return {
    set: (now) => {
      serving = now;
      for (const wake of watchers) wake();
    },
    service: {
      check: ({ service }) => {
        if (!known.has(service)) throw new ConnectError('service is unknown', Code.NotFound);
        return status();
      },
      list: () =>
        create(HealthListResponseSchema, { statuses: Object.fromEntries([...known].map((name) => [name, status()])) }),
      watch: async function* ({ service }, { signal }) {
        if (!known.has(service)) {
          yield create(HealthCheckResponseSchema, { status: HealthCheckResponse_ServingStatus.SERVICE_UNKNOWN });
        }
        const over = AbortSignal.any([signal, ending]);
        let last: boolean | undefined;
        while (!signal.aborted) {
          if (known.has(service) && last !== serving) {
            last = serving;
            yield status();
            continue; // it may have changed while the answer was being sent
          }
          if (ending.aborted) return;
          await new Promise<void>((resolve) => {
            const wake = (): void => {
              watchers.delete(wake);
              over.removeEventListener('abort', wake);
              resolve();
            };
            watchers.add(wake);
            over.addEventListener('abort', wake, { once: true });
          });
        }
      },
    },
  };
}
