/** @module The URLs of a configuration. */
import { isIP } from "node:net";
import type { z } from "zod";
import { list } from "./scalars.ts";

/** What is wrong with a URL that members or clients are to use, or undefined. */
export function urlFault(text: string): string | undefined {
  const socket = /^unixs?:\/\/(.*)$/.exec(text);
  if (socket !== null) return socket[1] === "" ? "names no socket" : undefined;
  const match = /^(https?):\/\/(\[[^\]]+\]|[^/:?#\s]+)(:\d+)?(\/.*)?$/.exec(text);
  if (match === null) return "must have the form http://host:port";
  if (match[4] !== undefined) return "must not contain a path";
  const port = Number(match[3]?.slice(1));
  return match[3] === undefined || port > 65_535 ? 'does not have the form "host:port"' : undefined;
}

/** A listener binds to an address; a host name may resolve to several. */
function listenFault(text: string): string | undefined {
  if (/^unixs?:\/\//.test(text)) return undefined;
  const host = new URL(text).hostname.replace(/^\[|\]$/g, "");
  return host === "localhost" || isIP(host) !== 0 ? undefined : "must name an IP address or localhost to listen on";
}

function urls(fault: (url: string) => string | undefined): z.ZodType<readonly string[]> {
  return list.superRefine((values, context) => {
    for (const value of values) {
      const found = fault(value);
      if (found !== undefined) context.addIssue({ code: "custom", message: `URL ${value} ${found}` });
    }
  });
}

/** URLs to listen on; there may be none. */
export const listenUrls: z.ZodType<readonly string[]> = urls((url) => urlFault(url) ?? listenFault(url));

/** URLs that others are told. */
export const advertisedUrls: z.ZodType<readonly string[]> = urls(urlFault);

/** Origins of web pages, as browsers send them; `*` stands for all. */
export const origins: z.ZodType<readonly string[]> = urls((origin) =>
  origin === "*" || /^https?:\/\/[^/?#\s]+$/.test(origin) ? undefined : "must be an origin like http://host:port, or *",
);
