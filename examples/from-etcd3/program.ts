/** Takes what the program has to say. */
export type Say = (line: string) => void;

/** What both versions of the program do: work on a server, and say what they see. */
export type Program = (endpoint: string, say: Say) => Promise<void>;
