/**
 * @module Holds the IDL against the tables of names and numbers in testdata: each message, field, enum value and
 * method of one side is there on the other, and the committed code is what the IDL generates.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { publicRegistry } from "./descriptors.ts";
import { httpRoutes } from "./http-routes.ts";
import { services } from "./services.ts";

const packageDir = join(import.meta.dirname, "..");

interface FieldRow {
  readonly number: number;
  readonly name: string;
  readonly type: string;
  readonly label?: string;
  readonly oneof?: string;
}
interface MethodRow {
  readonly name: string;
  readonly request: string;
  readonly requestStream?: boolean;
  readonly response: string;
  readonly responseStream?: boolean;
  readonly http?: readonly string[];
}
interface Table {
  readonly packages: Record<
    string,
    {
      readonly messages: Record<string, readonly FieldRow[] | { readonly syntax: string; readonly fields: FieldRow[] }>;
      readonly enums: Record<string, Record<string, number>>;
      readonly services?: Record<string, readonly MethodRow[]>;
    }
  >;
}

const readTable = (name: string): Table =>
  JSON.parse(readFileSync(join(import.meta.dirname, "testdata", name), "utf8")) as Table;

/** One line for each fact, so that a difference reads as the fact that is wrong. */
function factsOfTable(table: Table): string[] {
  return Object.entries(table.packages).flatMap(([pkg, { messages, enums, services = {} }]) => [
    ...Object.entries(messages).flatMap(([message, row]) => factsOfMessage(`${pkg}.${message}`, row)),
    ...Object.entries(enums).flatMap(([name, values]) =>
      Object.entries(values).map(([value, number]) => `${pkg}.${name}.${value} = ${number}`),
    ),
    ...Object.entries(services).flatMap(([service, methods]) =>
      methods.map((each) => `rpc ${pkg}.${service}.${methodText(each)}`),
    ),
  ]);
}

function factsOfMessage(message: string, row: Table["packages"][string]["messages"][string]): string[] {
  const fields = "fields" in row ? row.fields : row;
  const syntax = "syntax" in row ? row.syntax : "proto3";
  return [
    `message ${message} (${syntax})`,
    ...fields.map((field) => {
      const repeated = field.label === "repeated" ? "repeated " : "";
      const oneof = field.oneof === undefined ? "" : ` in ${field.oneof}`;
      return `${message}.${field.name} = ${field.number}: ${repeated}${lastName(field.type)}${oneof}`;
    }),
  ];
}

const methodText = (row: MethodRow): string =>
  `${row.name}(${row.requestStream ? "stream " : ""}${row.request}) -> ${row.responseStream ? "stream " : ""}${row.response}`;

/** The tables name types now with, now without their package. */
const lastName = (type: string): string => type.slice(type.lastIndexOf(".") + 1);

interface Descriptor {
  readonly name: string;
  readonly messageType?: readonly Descriptor[];
  readonly nestedType?: readonly Descriptor[];
  readonly enumType?: readonly { readonly name: string; readonly value: { name: string; number?: number }[] }[];
  readonly oneofDecl?: readonly { readonly name: string }[];
  readonly field?: readonly {
    readonly name: string;
    readonly number: number;
    readonly label: string;
    readonly type: string;
    readonly typeName?: string;
    readonly oneofIndex?: number;
  }[];
}
interface FileDescriptor extends Descriptor {
  readonly package: string;
  readonly syntax?: string;
  readonly service?: readonly {
    readonly name: string;
    readonly method: readonly {
      readonly name: string;
      readonly inputType: string;
      readonly outputType: string;
      readonly clientStreaming?: boolean;
      readonly serverStreaming?: boolean;
    }[];
  }[];
}

function compileIdl(): readonly FileDescriptor[] {
  const buf = join(packageDir, "..", "..", "..", "node_modules", ".bin", "buf");
  const json = execFileSync(buf, ["build", "--as-file-descriptor-set", "-o", "-#format=json"], { cwd: packageDir });
  return (JSON.parse(json.toString()) as { file: FileDescriptor[] }).file;
}

function factsOfScope(scope: Descriptor, prefix: string, syntax: string): string[] {
  return [
    ...(scope.enumType ?? []).flatMap((each) =>
      each.value.map(({ name, number = 0 }) => `${prefix}.${each.name}.${name} = ${number}`),
    ),
    ...(scope.messageType ?? scope.nestedType ?? []).flatMap((message) => {
      const name = `${prefix}.${message.name}`;
      return [...factsOfMessage(name, { syntax, fields: fieldRows(message) }), ...factsOfScope(message, name, syntax)];
    }),
  ];
}

function fieldRows(message: Descriptor): FieldRow[] {
  return (message.field ?? []).map((field) => {
    const oneof = field.oneofIndex === undefined ? undefined : message.oneofDecl?.[field.oneofIndex]?.name;
    return {
      name: field.name,
      number: field.number,
      type: field.typeName ?? field.type.slice("TYPE_".length).toLowerCase(),
      ...(field.label === "LABEL_REPEATED" && { label: "repeated" }),
      ...(oneof !== undefined && { oneof }),
    };
  });
}

function factsOfIdl(): string[] {
  return compileIdl().flatMap((file) => [
    ...factsOfScope(file, file.package, file.syntax ?? "proto2"),
    ...(file.service ?? []).flatMap(({ name, method }) =>
      method.map((each) => {
        const row = {
          name: each.name,
          request: lastName(each.inputType),
          requestStream: each.clientStreaming ?? false,
          response: lastName(each.outputType),
          responseStream: each.serverStreaming ?? false,
        };
        return `rpc ${file.package}.${name}.${methodText(row)}`;
      }),
    ),
  ]);
}

describe("the IDL", () => {
  it("has exactly the messages, fields, enum values and methods of the tables", () => {
    const expected = ["grpc.json", "grpc-common.json", "internal.json"].flatMap((name) =>
      factsOfTable(readTable(name)),
    );
    expect(expected.length).toBeGreaterThan(500);
    expect(factsOfIdl().sort()).toEqual(expected.sort());
  });

  it("generates the code that is committed", { timeout: 60_000 }, () => {
    const directory = mkdtempSync(join(tmpdir(), "protocol-"));
    try {
      execFileSync(process.execPath, ["generate.mjs", directory], { cwd: packageDir });
      expect(sourcesBelow(join(directory, "src", "gen"))).toEqual(sourcesBelow(join(packageDir, "src", "gen")));
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

function sourcesBelow(directory: string): Record<string, string> {
  const files = readdirSync(directory, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
  return Object.fromEntries(files.sort().map((name) => [name, readFileSync(join(directory, name), "utf8")]));
}

describe("services", () => {
  it("lists every public service with every method", () => {
    const listed = services.flatMap(({ fullName, methods }) =>
      Object.values(methods).map(
        (each) =>
          `rpc ${fullName}.${methodText({
            ...each,
            request: lastName(each.requestType.$type),
            response: lastName(each.responseType.$type),
          })}`,
      ),
    );
    const expected = factsOfTable(readTable("grpc.json")).filter((fact) => fact.startsWith("rpc "));
    expect(listed.sort()).toEqual(expected.sort());
  });
});

describe("httpRoutes", () => {
  it("lead from every path of the table to its method", () => {
    const { packages } = readTable("grpc.json");
    const expected = Object.entries(packages).flatMap(([pkg, { services: rows = {} }]) =>
      Object.entries(rows).flatMap(([service, methods]) =>
        methods.flatMap(({ name, http = [] }) => http.map((path) => `${path} -> /${pkg}.${service}/${name}`)),
      ),
    );
    expect(expected.length).toBeGreaterThan(50);
    expect(Array.from(httpRoutes, ([path, method]) => `${path} -> ${method}`).sort()).toEqual(expected.sort());
  });
});

describe("publicRegistry()", () => {
  it("knows every public service, and nothing that only members see", () => {
    const registry = publicRegistry();
    for (const { fullName } of services) expect(registry.getService(fullName)).toBeDefined();
    expect(registry.getService("grpc.health.v1.Health")).toBeDefined();
    expect(registry.getMessage("etcdserverpb.InternalRaftRequest")).toBeUndefined();
  });
});
