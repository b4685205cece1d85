import { type Backend, type Bucket, buckets } from "@conclave/base";

/** Replaces the content of a backend by that of another, as a member does that gets a snapshot. */
export async function copyContent(from: Backend, to: Backend): Promise<void> {
  await from.commit();
  const view = from.openView();
  async function* entries(): AsyncGenerator<[Bucket, Uint8Array, Uint8Array]> {
    for (const bucket of buckets) for (const [key, value] of view.scan(bucket)) yield [bucket, key, value];
  }
  await to.replace(entries());
  view.close();
}
