// Writes docs/cli.md from the commands themselves: `node server/cli/document.ts` writes it, `--check` only says
// whether it is stale.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { createProgram } from './program.ts';

export const documentPath = fileURLToPath(new URL('../../docs/cli.md', import.meta.url));

function sections(parent: Command, path: string): string[] {
  return parent.commands.flatMap((command) => {
    const name = `${path} ${command.name()}`;
    if (command.commands.length > 0) return sections(command, name);
    const words = command.registeredArguments.map((argument) =>
      argument.required ? `<${argument.name()}>` : `[${argument.name()}]`,
    );
    const options = command.options
      .filter(({ long }) => long !== '--json')
      .map(({ flags, description }) => `- \`${flags}\`: ${description}`);
    const parts = [
      `### ${[name, ...words].join(' ').replaceAll('<', '\\<')}`,
      command.description(),
      options.join('\n'),
    ];
    return [parts.filter((part) => part !== '').join('\n\n')];
  });
}

export async function commandLineDocument(): Promise<string> {
  const program = await createProgram();
  return `<!-- Derived from the commands by \`node server/cli/document.ts\`. Do not edit. -->

# The command line

In a clone: \`npm run gatehouse -- account list\` (\`npm run -s\` leaves npm’s own lines out, for \`--json\`). In the container: \`node server/cli.ts account list\`.

${program.description()}

They read the same settings as the server ([configuration.md](configuration.md)): run them from the same folder and with
the same environment. They bring the database up to date first; \`doctor\` and
\`health\` change nothing.

- Every command takes \`--json\` and then prints one JSON value; a failure with exit code 1 is \`{"error": {"code", "message", "details"}}\`.
- Results go to standard output, failures as sentences to standard error.
- Exit codes: 0 done; 1 it could not be done, or \`doctor\` found a fault; 2 it was not asked for properly.
- Passwords are never arguments: they come from \`--password-file\`, from standard input, or are asked for at a terminal.
- What commands do is in the audit trail, with the actor \`system\`, \`cli\`.

## Commands

${sections(program, 'gatehouse').join('\n\n')}
`;
}

if (import.meta.main) {
  const wanted = await commandLineDocument();
  if (!process.argv.includes('--check')) writeFileSync(documentPath, wanted);
  else if (readFileSync(documentPath, 'utf8') !== wanted) {
    console.error('docs/cli.md is stale; run: node server/cli/document.ts');
    process.exitCode = 1;
  }
}
