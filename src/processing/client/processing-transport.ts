/** Transports to a processing instance: gRPC over HTTP/2 to another process, or in memory within this one. */
import { createRouterTransport, type ServiceImpl, type Transport } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { ProcessingService } from '../../gen/parley/processing/v1/processing_pb.ts';
import { frameBytes, streamWindowBytes } from '../http2-sizes.ts';
import { createHttp2Session } from './http2-session.ts';

export interface ProcessingTransport {
  readonly transport: Transport;
  readonly disconnect: () => void;
}

export interface NetworkTransportSettings {
  /** Bytes of one answer. */
  readonly answerBytes: number;
}

/** Connects with the first call. */
export function createNetworkTransport(url: string, settings: NetworkTransportSettings): ProcessingTransport {
  // No pings: if an instance is frozen, its answers are missing, and its breaker opens and drops the connection.
  const sessionManager = createHttp2Session(url, {
    settings: { enablePush: false, initialWindowSize: streamWindowBytes, maxFrameSize: frameBytes },
  });
  return {
    transport: createGrpcTransport({
      baseUrl: url,
      sessionManager,
      readMaxBytes: settings.answerBytes,
      acceptCompression: [], // compressing costs more than the bytes on loopback and data-centre networks
    }),
    disconnect: () => sessionManager.abort(),
  };
}

/** The same service in the same process, through the same messages. */
export function createMemoryTransport(service: ServiceImpl<typeof ProcessingService>): ProcessingTransport {
  const transport = createRouterTransport((router) => {
    router.service(ProcessingService, service);
  });
  return { transport, disconnect: () => {} };
}
