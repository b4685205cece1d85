import type { Client } from "@conclave/client";

/** What a migration leaves to its user: nobody can read a password. */
export interface MissingUsers {
  /** Users of the source that the destination has not; undefined if one of the two does not tell. */
  readonly missingUsers: readonly string[] | undefined;
  /** The same of roles. */
  readonly missingRoles: readonly string[] | undefined;
}

/** Compares the users and roles of two clusters by name. */
export async function missingUsers(clusters: {
  readonly source: Client;
  readonly destination: Client;
}): Promise<MissingUsers> {
  const users = async ({ raw }: Client) => (await raw.auth.userList()).users;
  const roles = async ({ raw }: Client) => (await raw.auth.roleList()).roles;
  return { missingUsers: await missing(clusters, users), missingRoles: await missing(clusters, roles) };
}

async function missing(
  { source, destination }: { readonly source: Client; readonly destination: Client },
  names: (client: Client) => Promise<readonly string[]>,
): Promise<readonly string[] | undefined> {
  try {
    const there = new Set(await names(destination));
    return (await names(source)).filter((name) => !there.has(name));
  } catch {
    // Who may not list users can still copy keys; the report says that it was not looked at.
    return undefined;
  }
}
