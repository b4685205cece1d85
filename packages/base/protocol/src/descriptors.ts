/**
 * @module The public API in its own descriptors, for what has to know messages by name: JSON and reflection. Apart
 * from the codecs, so that who only speaks the protocol does not carry it.
 */
import { createFileRegistry, type DescFile, type FileRegistry, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { publicDescriptors } from "./gen/descriptors.ts";

let registry: FileRegistry | undefined;

/** The files, messages, enums and services of the public API; built when first asked for. */
export function publicRegistry(): FileRegistry {
  registry ??= createFileRegistry(fromBinary(FileDescriptorSetSchema, Buffer.from(publicDescriptors, "base64")));
  return registry;
}

/** The registered file that declares a service, method, message, enum or field of this full name. */
export function fileOfSymbol(name: string): DescFile | undefined {
  const files = publicRegistry();
  const found = files.get(name);
  if (found !== undefined && "file" in found) return found.file;
  const parent = name.slice(0, Math.max(0, name.lastIndexOf(".")));
  const own = name.slice(parent.length + 1);
  const owner = files.get(parent);
  switch (owner?.kind) {
    case "service":
      return owner.methods.some((method) => method.name === own) ? owner.file : undefined;
    case "message":
      return owner.fields.some((field) => field.name === own) ? owner.file : undefined;
    default:
      return undefined;
  }
}

/** A file as an encoded FileDescriptorProto, after those of all the files it imports. */
export function encodedFiles(file: DescFile): readonly Uint8Array[] {
  const files = new Set<DescFile>();
  const add = (each: DescFile): void => {
    for (const imported of each.dependencies) add(imported);
    files.add(each);
  };
  add(file);
  return Array.from(files, ({ proto }) => toBinary(FileDescriptorProtoSchema, proto));
}
