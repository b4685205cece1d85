/** @module Secrets that are easy to find again, whole or in part, in whatever form something has written them. */
import { randomInt } from "node:crypto";

const letters = "bcdfghjklmnpqrstvwxz";
/** A multiple of three, so that base64 repeats with it. */
const syllableLetters = 6;

/** Hands out marked secrets, and looks for them. */
export class Marks {
  /** What is looked for, by the name of the secret. */
  readonly #forms = new Map<string, string>();

  /** A new secret: one syllable again and again, so that a part of it is found too. */
  make(name: string, { syllables = 4 }: { readonly syllables?: number } = {}): string {
    const syllable = Array.from({ length: syllableLetters }, () => letters[randomInt(letters.length)]).join("");
    for (const form of formsOf(syllable)) this.#forms.set(form, name);
    return syllable.repeat(syllables);
  }

  /** Takes a secret that something else has made; it is found only whole. */
  add(name: string, secret: string): string {
    for (const form of [secret, Buffer.from(secret).toString("base64"), Buffer.from(secret).toString("hex")])
      this.#forms.set(form, name);
    return secret;
  }

  /** Where secrets are found in a text: the name of each, with what stands around it. */
  in(text: string): readonly string[] {
    return [...this.#forms].flatMap(([form, name]) => {
      const at = text.indexOf(form);
      return at === -1 ? [] : [`${name}: …${text.slice(Math.max(0, at - 200), at + form.length + 60)}…`];
    });
  }
}

/** A syllable as it stands, and as it stands within base64, hexadecimal digits and lists of numbers. */
function formsOf(syllable: string): readonly string[] {
  const bytes = Buffer.from(syllable);
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0"));
  const rotations = [0, 1, 2].map((by) => `${syllable.slice(by)}${syllable.slice(0, by)}`);
  return [
    syllable,
    ...rotations.map((rotation) => Buffer.from(rotation).toString("base64")),
    hex.join(""),
    hex.join(" "),
    bytes.join(","),
    bytes.join(", "),
    [...bytes].map((byte, at) => `"${at}":${byte}`).join(","),
  ];
}
