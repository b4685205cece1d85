import type { Backend } from "@conclave/base";
import { Permission_Type as PermissionType, type User } from "@conclave/protocol/authpb";
import { AuthError } from "./auth-error.ts";
import { AuthRows } from "./auth-rows.ts";
import { keyInterval, namesKeys } from "./key-interval.ts";
import { PermissionTree } from "./permission-tree.ts";

/** The user, and the role, that may do everything; authentication cannot be on without them. */
export const rootName = "root";

/** What a user may do. */
export interface UserAccess {
  /** Whether the user has the role root, which may do everything. */
  readonly isRoot: boolean;
  /** Names of the roles granted to the user, sorted. */
  readonly roles: readonly string[];
  /** The keys that the user may read. */
  readonly readable: PermissionTree;
  /** The keys that the user may write. */
  readonly writable: PermissionTree;
}

/** The replicated state: rows, whether authentication is on, and the auth revision; permission trees are kept ready. */
export class AuthState {
  readonly rows: AuthRows;
  readonly #onChange: () => void;
  readonly #access = new Map<string, UserAccess>();
  #enabled = false;
  #revision = 0;

  constructor(backend: Backend, onChange: () => void) {
    this.rows = new AuthRows(backend);
    this.#onChange = onChange;
    this.#read();
  }

  /** Whether authentication is on. */
  get enabled(): boolean {
    return this.#enabled;
  }

  /** Counts the changes of users and roles. */
  get revision(): number {
    return this.#revision;
  }

  /** Turns authentication on or off. */
  setEnabled(enabled: boolean): void {
    this.rows.enabled = enabled;
    this.#enabled = enabled;
    this.#onChange();
  }

  /** Takes note that users or roles have changed: permissions that were checked before are to be checked again. */
  changed(): void {
    this.#revision += 1;
    this.rows.revision = this.#revision;
    this.#access.clear();
    this.#onChange();
  }

  /** Reads the rows anew after the store's content was replaced. */
  reload(): void {
    this.#read();
    this.#onChange();
  }

  /** What a user may do, or undefined if there is none of this name. */
  access(username: string): UserAccess | undefined {
    const known = this.#access.get(username);
    if (known !== undefined) return known;
    const user = this.rows.user(username);
    if (user === undefined) return undefined;
    const access = this.#accessOf(user);
    this.#access.set(username, access);
    return access;
  }

  /**
   * The user of a name.
   *
   * @throws AuthError `USER_NOT_FOUND`
   */
  userOrThrow(name: string): User {
    const user = this.rows.user(name);
    if (user === undefined) throw new AuthError("USER_NOT_FOUND");
    return user;
  }

  #read(): void {
    this.#access.clear();
    this.#enabled = this.rows.enabled;
    this.#revision = this.rows.revision;
    // A store begins at revision 1, so that 0 can mean that nobody is asking.
    if (this.#revision === 0) this.rows.revision = this.#revision = 1;
  }

  #accessOf({ roles }: User): UserAccess {
    const granted = roles.flatMap((name) => this.rows.role(name)?.keyPermission ?? []);
    // A type that nobody knows allows nothing; nor does an empty range, which etcd once took.
    const treeOf = (type: PermissionType): PermissionTree =>
      new PermissionTree(
        granted
          .filter((held) => (held.permType === type || held.permType === PermissionType.READWRITE) && namesKeys(held))
          .map(({ key, rangeEnd }) => keyInterval(key, rangeEnd)),
      );
    return {
      isRoot: roles.includes(rootName),
      roles,
      readable: treeOf(PermissionType.READ),
      writable: treeOf(PermissionType.WRITE),
    };
  }
}
