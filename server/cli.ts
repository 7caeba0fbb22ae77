// The command line. Results go to standard output, failures as sentences to standard error.
// Exit codes: 0 done, 1 it could not be done (or the doctor found a fault), 2 it was not asked for properly.
import { CommanderError } from 'commander';
import { createProgram } from './cli/program.ts';
import { describeFailure } from './cli/terminal.ts';

async function run(args: readonly string[]): Promise<number> {
  try {
    const program = await createProgram(args[0]);
    await program.parseAsync(args, { from: 'user' });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    const failure = await describeFailure(error, args.includes('--json'));
    process.stderr.write(failure.text);
    return failure.exitCode;
  }
}

// A reader that has gone (`| head`) is no fault.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});
process.exitCode = await run(process.argv.slice(2));
