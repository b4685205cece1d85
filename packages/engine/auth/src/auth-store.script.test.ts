import { readdirSync, readFileSync } from "node:fs";
import { type Backend, hex } from "@conclave/base";
import { Permission_Type as PermissionType } from "@conclave/protocol/authpb";
import { expect, test } from "vitest";
import type { AuthCommand } from "./auth-command.ts";
import { type AuthStore, createAuthStore } from "./auth-store.ts";
import { memoryRows } from "./testing/memory-rows.ts";

const bytes = (text = ""): Uint8Array => Buffer.from(JSON.parse(`"${text}"`) as string);
const permission = (type: string, key: string, rangeEnd?: string) => ({
  permType: PermissionType[type as keyof typeof PermissionType],
  key: bytes(key),
  rangeEnd: bytes(rangeEnd),
});

function open(backend: Backend): AuthStore {
  return createAuthStore({ backend, hashOf: ({ hashedPassword }) => Buffer.from(hashedPassword) });
}

/** The command that a line names, in etcd's words. */
function commandOf([name = "", first = "", second = "", third = "", fourth = ""]: readonly string[]): AuthCommand {
  const user = { name: first, password: "", hashedPassword: second, options: undefined };
  const commands: Readonly<Record<string, () => AuthCommand>> = {
    enable: () => ({ kind: "authEnable", request: {} }),
    disable: () => ({ kind: "authDisable", request: {} }),
    status: () => ({ kind: "authStatus", request: {} }),
    "user-add": () => ({ kind: "authUserAdd", request: user }),
    "user-add-no-password": () => ({
      kind: "authUserAdd",
      request: { ...user, hashedPassword: "ignored", options: { noPassword: true } },
    }),
    "user-delete": () => ({ kind: "authUserDelete", request: { name: first } }),
    "user-get": () => ({ kind: "authUserGet", request: { name: first } }),
    "user-list": () => ({ kind: "authUserList", request: {} }),
    passwd: () => ({ kind: "authUserChangePassword", request: user }),
    grant: () => ({ kind: "authUserGrantRole", request: { user: first, role: second } }),
    revoke: () => ({ kind: "authUserRevokeRole", request: { name: first, role: second } }),
    "role-add": () => ({ kind: "authRoleAdd", request: { name: first } }),
    "role-delete": () => ({ kind: "authRoleDelete", request: { role: first } }),
    "role-get": () => ({ kind: "authRoleGet", request: { role: first } }),
    "role-list": () => ({ kind: "authRoleList", request: {} }),
    "grant-permission": () => ({
      kind: "authRoleGrantPermission",
      request: { name: first, perm: second === "" ? undefined : permission(second, third, fourth) },
    }),
    "revoke-permission": () => ({
      kind: "authRoleRevokePermission",
      request: { role: first, key: bytes(second), rangeEnd: bytes(third) },
    }),
  };
  const command = commands[name];
  if (command === undefined) throw new Error(`"${name}" is no command of a script`);
  return command();
}

function describeRows(backend: Backend): string {
  const line = (bucket: "auth" | "authUsers" | "authRoles"): string[] =>
    [...backend.scan(bucket)].map(([key, value]) => `${bucket} ${Buffer.from(key)} ${hex(value)}`);
  return [...line("auth"), ...line("authUsers"), ...line("authRoles")].join("\n");
}

/** Runs the commands of one script. `read` and `write` ask as a user, at an auth revision if one is named. */
function interpreter(): (line: string) => string {
  const backend = memoryRows();
  let auth = open(backend);
  const ask = ([access = "", username = "", key = "", rangeEnd = "", at = ""]: readonly string[]): string => {
    const authRevision = at === "" ? auth.revision : Number(at);
    const caller = username === "-" ? { username: "", authRevision: 0 } : { username, authRevision };
    auth.checkKeys(caller, access as "read" | "write", { key: bytes(key), rangeEnd: bytes(rangeEnd) });
    return "may";
  };
  const questions: Readonly<Record<string, (words: readonly string[]) => string>> = {
    read: ask,
    write: ask,
    admin: ([, username = ""]) => {
      auth.checkAdmin({ username: username === "-" ? "" : username, authRevision: auth.revision });
      return "may";
    },
    password: ([, username = ""]) => {
      const record = auth.passwordOf(username);
      return record.kind === "hash" ? Buffer.from(record.hash).toString() : "none";
    },
    login: ([, username = ""]) => {
      auth.checkLogin(username);
      return "in";
    },
    rows: () => describeRows(backend),
    restart: () => {
      auth = open(backend);
      return "ok";
    },
  };
  return (line) => {
    const words = line.split(" ").map((word) => (word === "''" ? "" : word));
    try {
      const question = questions[words[0] ?? ""];
      if (question !== undefined) return question(words);
      const { header: _, ...shown } = auth.apply(commandOf(words));
      const text = JSON.stringify(shown, (_key, value) =>
        Buffer.isBuffer(value) || value instanceof Uint8Array ? String(Buffer.from(value)) : value,
      );
      return text === "{}" ? `ok, revision ${auth.revision}` : text;
    } catch (error) {
      const { code } = error as { code?: string };
      if (code === undefined) throw error;
      return code;
    }
  };
}

const directory = new URL("./testdata/", import.meta.url);

test.each(readdirSync(directory))("%s", async (name) => {
  const path = new URL(name, directory).pathname;
  const run = interpreter();
  const blocks = readFileSync(path, "utf8").trimEnd().split(/\n\n+/);
  const rendered = blocks.map((block) => {
    const head = block.split("\n----")[0] ?? "";
    const lines = head.split("\n").filter((line) => !line.startsWith("#"));
    return `${head}\n----\n${lines.map(run).join("\n")}`;
  });
  await expect(`${rendered.join("\n\n")}\n`).toMatchFileSnapshot(path);
});
