import { GrpcStatus } from "@conclave/protocol";
import { encodedFiles, fileOfSymbol, publicRegistry } from "@conclave/protocol/descriptors";
import type { ServerReflectionRequest, ServerReflectionResponse } from "@conclave/protocol/reflection/v1";
import type { RequestStream, ResponseStream } from "@conclave/rpc";

type Answer = NonNullable<ServerReflectionResponse["messageResponse"]>;

function notFound(what: string): Answer {
  return { $case: "errorResponse", value: { errorCode: GrpcStatus.NotFound, errorMessage: `${what} not found` } };
}

type File = Parameters<typeof encodedFiles>[0];

function files(file: File | undefined, what: string): Answer {
  if (file === undefined) return notFound(what);
  return { $case: "fileDescriptorResponse", value: { fileDescriptorProto: [...encodedFiles(file)] } };
}

/**
 * Tells tools what the server serves, in its own descriptors. The messages of v1 and v1alpha are the same, so one
 * handler serves both.
 */
export class ReflectionService {
  readonly #serviceNames: readonly string[];

  /** @param serviceNames - full names of what is served beside */
  constructor(serviceNames: readonly string[]) {
    this.#serviceNames = [...serviceNames].sort();
  }

  /** Answers each question, in order. */
  async serverReflectionInfo(
    requests: RequestStream<ServerReflectionRequest>,
    responses: ResponseStream<ServerReflectionResponse>,
  ): Promise<void> {
    await requests.forEach(async (request) => {
      const { host } = request;
      const hasRoom = responses.write({
        validHost: host,
        originalRequest: request,
        messageResponse: this.#answer(request.messageRequest),
      });
      if (!hasRoom) await responses.drained();
    });
  }

  #answer(question: ServerReflectionRequest["messageRequest"]): Answer {
    switch (question?.$case) {
      case "listServices":
        return {
          $case: "listServicesResponse",
          value: { service: this.#serviceNames.map((name) => ({ name })) },
        };
      case "fileByFilename":
        return files(publicRegistry().getFile(question.value), `file ${question.value}`);
      case "fileContainingSymbol":
        return files(fileOfSymbol(question.value), `symbol ${question.value}`);
      case "allExtensionNumbersOfType": {
        if (publicRegistry().getMessage(question.value) === undefined) return notFound(`type ${question.value}`);
        const value = { baseTypeName: question.value, extensionNumber: [] };
        return { $case: "allExtensionNumbersResponse", value };
      }
      case "fileContainingExtension":
        return notFound(`extension ${question.value.extensionNumber} of ${question.value.containingType}`);
      case undefined: {
        const value = { errorCode: GrpcStatus.InvalidArgument, errorMessage: "the request asks nothing" };
        return { $case: "errorResponse", value };
      }
    }
  }
}
