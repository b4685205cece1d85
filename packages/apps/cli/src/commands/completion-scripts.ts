/** @module Scripts that let a shell complete command lines, made from the tree of commands. */
import type { Command } from "commander";

/** The shells for which there is a script. */
export type Shell = "bash" | "zsh" | "fish" | "powershell";

/** A place in the tree of commands: the words that lead to it, and what may follow. */
export interface CompletionPlace {
  /** The names of the commands down to it, such as `endpoint status`; empty for the program itself. */
  readonly path: string;
  /** The commands below it. */
  readonly commands: readonly string[];
  /** Its own options, long names with dashes. */
  readonly flags: readonly string[];
}

/** Every place in a tree of commands. */
export function completionPlaces(command: Command, path = ""): CompletionPlace[] {
  const below = command.commands.filter((each) => each.name() !== "help");
  const flags = command.options.filter(({ hidden, long }) => !hidden && long !== undefined);
  return [
    { path, commands: below.map((each) => each.name()), flags: flags.map(({ long }) => long ?? "") },
    ...below.flatMap((each) => completionPlaces(each, `${path} ${each.name()}`.trim())),
  ];
}

/** The script for a shell. */
export function completionScript(shell: Shell, places: readonly CompletionPlace[]): string {
  const [root] = places;
  const globalFlags = root?.flags ?? [];
  return scripts[shell](
    places.map(({ path, commands, flags }) => ({
      path,
      words: [...commands, ...flags, ...(path === "" ? [] : globalFlags)].join(" "),
    })),
  );
}

interface Words {
  readonly path: string;
  readonly words: string;
}

const scripts: Readonly<Record<Shell, (places: readonly Words[]) => string>> = {
  bash: (places) => `# bash completion of conclavectl
${bashFunction(places)}
complete -o default -F _conclavectl conclavectl
`,
  zsh: (places) => `#compdef conclavectl
autoload -U +X bashcompinit && bashcompinit
${bashFunction(places)}
complete -o default -F _conclavectl conclavectl
`,
  fish: (places) => `# fish completion of conclavectl
function __conclavectl_words
    set -l path
    for word in (commandline -opc)[2..]
        string match -q -- '-*' $word; or set -a path $word
    end
    switch "$path"
${[...places]
  .reverse()
  .map(({ path, words }) => `        case '${path}${path === "" ? "" : "*"}'\n            set found ${words}`)
  .join("\n")}
    end
    printf '%s\\n' $found
end
complete -c conclavectl -f -a '(__conclavectl_words)'
`,
  powershell: (places) => `# PowerShell completion of conclavectl
Register-ArgumentCompleter -Native -CommandName conclavectl -ScriptBlock {
    param($wordToComplete, $commandAst)
    $places = @{
${places.map(({ path, words }) => `        '${path}' = '${words}'`).join("\n")}
    }
    $words = $commandAst.CommandElements | Select-Object -Skip 1 | ForEach-Object { "$_" }
    $path = ''
    foreach ($word in $words) {
        $next = "$path $word".Trim()
        if ($places.ContainsKey($next)) { $path = $next }
    }
    $places[$path] -split ' ' | Where-Object { $_ -like "$wordToComplete*" }
}
`,
};

/** Walks down the command line as far as words are commands, and offers what may follow there. */
function bashFunction(places: readonly Words[]): string {
  return `_conclavectl_words() {
  case "$1" in
${places.map(({ path, words }) => `    "${path}") echo "${words}" ;;`).join("\n")}
    *) return 1 ;;
  esac
}
_conclavectl() {
  local path="" next word at
  for ((at = 1; at < COMP_CWORD; at++)); do
    word="\${COMP_WORDS[at]}"
    next="\${path:+$path }$word"
    if _conclavectl_words "$next" >/dev/null; then path="$next"; fi
  done
  COMPREPLY=($(compgen -W "$(_conclavectl_words "$path")" -- "\${COMP_WORDS[COMP_CWORD]}"))
}`;
}
