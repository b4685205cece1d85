/** How a file is opened: to read it, to read and write one that exists, or to create it (emptying one that exists). */
export type OpenMode = "read" | "write" | "create";

/**
 * The part of a file system the log needs. Paths are absolute. Errors are those of Node, with a `code` such as
 * `ENOENT` or `ENOSPC`. A created, renamed or removed name is durable once its directory was synced.
 */
export interface FileSystem {
  /** The names in a directory, in no particular order. */
  list(directory: string): Promise<string[]>;
  /**
   * Creates a directory; its parent must exist.
   *
   * @param mode - permission bits, such as `0o700`
   * @throws `EEXIST` if the name is taken
   */
  makeDirectory(path: string, mode: number): Promise<void>;
  /** Renames a file or directory, replacing a file or an empty directory of the new name. */
  rename(from: string, to: string): Promise<void>;
  /** Removes a file or an empty directory. */
  remove(path: string): Promise<void>;
  /** Makes the names in a directory durable. */
  syncDirectory(path: string): Promise<void>;
  /** Whether a file or directory of that name is there. */
  exists(path: string): Promise<boolean>;
  /** Opens a file; a created one is readable and writable by its owner only. */
  open(path: string, options: { readonly mode: OpenMode }): Promise<File>;
}

/** An open file. Calls that overlap must not touch the same bytes. */
export interface File {
  /** The length in bytes. */
  size(): Promise<number>;
  /** Up to `length` bytes from `position`; fewer at the end of the file. They are the caller's. */
  read(position: number, length: number): Promise<Uint8Array>;
  /** Writes all the bytes; they must not change until it is done. */
  write(position: number, bytes: Uint8Array): Promise<void>;
  /** Cuts the file off, or extends it by zeros, to `length` bytes. */
  truncate(length: number): Promise<void>;
  /** Makes the file at least `length` bytes long, reading as zeros, without promising that there is space. */
  allocate(length: number): Promise<void>;
  /** Makes what was written durable, and the length if reading it back needs that (`fdatasync`). */
  dataSync(): Promise<void>;
  /** Makes the file durable with all its attributes (`fsync`). */
  sync(): Promise<void>;
  /** Lets go of the file; nothing is synced. */
  close(): Promise<void>;
}
