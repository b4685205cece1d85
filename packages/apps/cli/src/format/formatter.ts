import { CommandError, exitCodes } from "../exit.ts";
import type { Formatter } from "./answers.ts";
import { createFieldsFormatter } from "./fields.ts";
import { createJsonFormatter } from "./json.ts";
import { createProtobufFormatter } from "./protobuf.ts";
import { createSimpleFormatter, type SimpleOptions } from "./simple.ts";
import { createTableFormatter } from "./table.ts";

/**
 * The formatter that `-w` names.
 *
 * @throws {@link CommandError} if there is none of this name
 */
export function createFormatter(name: string, options: SimpleOptions): Formatter {
  switch (name) {
    case "simple":
      return createSimpleFormatter(options);
    case "fields":
      return createFieldsFormatter();
    case "json":
      return createJsonFormatter();
    case "table":
      return createTableFormatter();
    case "protobuf":
      return createProtobufFormatter();
    default:
      throw new CommandError(exitCodes.badFeature, "unsupported output format");
  }
}
