import { type Balancer, type Candidate, nameOf, shareOf } from "./balancer.ts";

/**
 * The same instance for the same key, for as long as it is there: when one comes or goes, only the keys move that it gets or
 * had. Keys spread by weight. Every candidate draws a number from the key, and the highest wins ("rendezvous hashing"): that
 * needs no ring, and no choice of how many points it has; the time of a choice grows with the number of candidates.
 *
 * @see Thaler and Ravishankar, A Name-Based Mapping Scheme for Rendezvous (1996)
 */
export class ConsistentHash implements Balancer {
  #candidates: readonly Candidate[] = [];
  #hashes = new Uint32Array();

  pick<Each extends Candidate>(candidates: readonly Each[], key = ""): Each | undefined {
    if (candidates !== this.#candidates) {
      this.#candidates = candidates;
      this.#hashes = Uint32Array.from(candidates, (candidate) => hash32(nameOf(candidate)));
    }
    const keyHash = hash32(key);
    let chosen: Each | undefined;
    let highest = Number.NEGATIVE_INFINITY;
    for (const [at, candidate] of candidates.entries()) {
      // Of numbers drawn as -weight / ln(u) the highest is each one's as often as its weight says.
      const fraction = (mix(keyHash ^ (this.#hashes[at] ?? 0)) + 0.5) / 2 ** 32;
      const score = -shareOf(candidate) / Math.log(fraction);
      if (score > highest) [chosen, highest] = [candidate, score];
    }
    return chosen;
  }
}

/** FNV-1a over the UTF-16 units, then mixed: by itself it changes the high bits too little. */
function hash32(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return mix(hash);
}

/** Makes every bit of 32 depend on every other: the last steps of MurmurHash3. */
function mix(bits: number): number {
  let mixed = bits;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
