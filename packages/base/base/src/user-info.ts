/**
 * A text with whatever stands before an `@` in its addresses left out: in `http://user:password@host:port` that is a
 * password, though nothing here takes addresses of this form. For errors that quote what was given.
 */
export function withoutUserInfo(text: string): string {
  return text.replace(/((?:[\w-]+=)?(?:\w+:\/\/)?)[^\s"',]*@/g, "$1…@");
}
