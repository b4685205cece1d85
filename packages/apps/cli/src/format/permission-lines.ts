import { equalBytes, prefixEnd, utf8Text } from "@conclave/base";
import { type Permission, Permission_Type as PermissionType } from "@conclave/protocol/authpb";
import type { RoleAnswer } from "./answers.ts";

const everything = "\t[, <open ended>\n";

/** What a role may read and write, as people read it. The role root may do everything, whatever is stored of it. */
export function permissionLines({ role, response: { perm } }: RoleAnswer): string {
  const isRoot = role === "root" && perm.length === 0;
  const section = (without: PermissionType): string =>
    isRoot
      ? everything
      : perm
          .filter(({ permType }) => permType !== without)
          .map(rangeLine)
          .join("");
  return `Role ${role}\nKV Read:\n${section(PermissionType.WRITE)}KV Write:\n${section(PermissionType.READ)}`;
}

function rangeLine({ key, rangeEnd }: Permission): string {
  const [start, end] = [utf8Text(key), utf8Text(rangeEnd)];
  if (end === "") return `\t${start}\n`;
  const range = end === "\0" ? `[${start}, <open ended>` : `[${start}, ${end})`;
  const isPrefix = key.length > 0 && equalBytes(prefixEnd(key), rangeEnd);
  return `\t${range}${isPrefix ? ` (prefix ${start})` : ""}\n`;
}
