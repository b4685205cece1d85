import { utf8Text } from "@conclave/base";
import { quotedPattern, unquote } from "./unquote.ts";

const word = new RegExp(`${quotedPattern}|'[^']*'|\\S+`, "g");

/**
 * Splits a line into words at spaces. A word in single quotes is taken as it stands, one in double quotes with
 * Go's escapes.
 *
 * @throws RangeError if a quoted word is malformed or is not text
 */
export function splitWords(line: string): string[] {
  return [...line.matchAll(word)].map(([text]) => plain(text));
}

function plain(text: string): string {
  if (text.length > 1 && text.startsWith("'") && text.endsWith("'")) return text.slice(1, -1);
  if (!text.startsWith('"') && !text.startsWith("`")) return text;
  const bytes = unquote(text);
  if (bytes === undefined) throw new RangeError(`malformed quoted string ${text}`);
  const words = utf8Text(bytes);
  if (words.includes("\ufffd")) throw new RangeError(`quoted string ${text} is not UTF-8`);
  return words;
}
