/**
 * `grpc.reflection.v1` and `v1alpha`: lets clients without our proto files (buf curl, grpcurl) find the services. The two
 * versions have the same messages under other package names.
 */
import { create, type DescFile, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { Code, type ConnectRouter } from '@connectrpc/connect';
import { file_grpc_health_v1_health } from '../../gen/grpc/health/v1/health_pb.ts';
import * as v1 from '../../gen/grpc/reflection/v1/reflection_pb.ts';
import * as v1alpha from '../../gen/grpc/reflection/v1alpha/reflection_pb.ts';
import { file_parley_processing_v1_processing } from '../../gen/parley/processing/v1/processing_pb.ts';

const served: readonly DescFile[] = [
  file_parley_processing_v1_processing,
  file_grpc_health_v1_health,
  v1.file_grpc_reflection_v1_reflection,
  v1alpha.file_grpc_reflection_v1alpha_reflection,
];

/** `proto.name` of a descriptor keeps the `.proto` ending that `file.name` lacks. */
const byName = new Map(served.map((file) => [file.proto.name, file]));

function symbolsOf(file: DescFile): string[] {
  const nested = (types: DescFile['messages']): string[] =>
    types.flatMap((type) => [
      type.typeName,
      ...type.fields.map((field) => `${type.typeName}.${field.name}`),
      ...type.nestedEnums.map((each) => each.typeName),
      ...nested(type.nestedMessages),
    ]);
  return [
    ...file.services.flatMap((service) => [
      service.typeName,
      ...service.methods.map((method) => `${service.typeName}.${method.name}`),
    ]),
    ...nested(file.messages),
    ...file.enums.map((each) => each.typeName),
  ];
}

const bySymbol = new Map(served.flatMap((file) => symbolsOf(file).map((symbol) => [symbol, file] as const)));

/** Every service by its full name. */
export const serviceNames: readonly string[] = served
  .flatMap((file) => file.services.map((each) => each.typeName))
  .sort();

/** A file with all it imports, serialised; empty when there is none. */
function serialised(file: DescFile | undefined): Uint8Array<ArrayBuffer>[] {
  if (!file) return [];
  const all = new Set<DescFile>();
  const collect = (each: DescFile): void => {
    if (all.has(each)) return;
    all.add(each);
    each.dependencies.forEach(collect);
  };
  collect(file);
  return [...all].map((each) => toBinary(FileDescriptorProtoSchema, each.proto));
}

type Asked = v1.ServerReflectionRequest['messageRequest'] | v1alpha.ServerReflectionRequest['messageRequest'];

/** The same shape in both versions. */
type Answer = NonNullable<MessageInitShape<typeof v1.ServerReflectionResponseSchema>['messageResponse']>;

const notFound: Answer = { case: 'errorResponse', value: { errorCode: Code.NotFound, errorMessage: 'not found' } };

function files(file: DescFile | undefined): Answer {
  const fileDescriptorProto = serialised(file);
  if (fileDescriptorProto.length === 0) return notFound;
  return { case: 'fileDescriptorResponse', value: { fileDescriptorProto } };
}

function reflect(asked: Asked): Answer {
  switch (asked.case) {
    case 'listServices':
      return { case: 'listServicesResponse', value: { service: serviceNames.map((name) => ({ name })) } };
    case 'fileByFilename':
      return files(byName.get(asked.value));
    case 'fileContainingSymbol':
      return files(bySymbol.get(asked.value));
    case 'allExtensionNumbersOfType':
      if (!bySymbol.has(asked.value)) return notFound;
      return {
        case: 'allExtensionNumbersResponse',
        value: { baseTypeName: asked.value, extensionNumber: [] },
      };
    case 'fileContainingExtension':
      return notFound;
    default:
      return {
        case: 'errorResponse',
        value: { errorCode: Code.InvalidArgument, errorMessage: 'message_request must be set' },
      };
  }
}

/** Registers both versions. */
export function serveReflection(router: ConnectRouter): void {
  router.service(v1.ServerReflection, {
    serverReflectionInfo: async function* (requests) {
      for await (const request of requests) {
        yield {
          validHost: request.host,
          originalRequest: request,
          messageResponse: reflect(request.messageRequest),
        };
      }
    },
  });
  router.service(v1alpha.ServerReflection, {
    serverReflectionInfo: async function* (requests) {
      for await (const request of requests) {
        // The wire format is the same, so the answer is made once and read as the other version's.
        const answer = create(v1.ServerReflectionResponseSchema, {
          validHost: request.host,
          messageResponse: reflect(request.messageRequest),
        });
        const same = fromBinary(
          v1alpha.ServerReflectionResponseSchema,
          toBinary(v1.ServerReflectionResponseSchema, answer),
        );
        same.originalRequest = request;
        yield same;
      }
    },
  });
}
