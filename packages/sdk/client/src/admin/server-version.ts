/**
 * Whether the answer to a progress request can be trusted as a cursor. Before 3.4.25 and 3.5.8 a member answered
 * with the store's revision at once, past events that were still on their way.
 *
 * @param version - as reported by `Maintenance.Status`
 * @see etcd-io/etcd#15220
 */
export function answersProgressInOrder(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split(/[.-]/).map(Number);
  if (major !== 3) return major > 3;
  if (minor === 4) return patch >= 25;
  if (minor === 5) return patch >= 8;
  return minor >= 6;
}
