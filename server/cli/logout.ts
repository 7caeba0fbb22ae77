// What apps were told of ended sessions, and telling one of them again.
import { type Command, Option } from 'commander';
import { list, retry, STATES } from '../logouts/logouts.ts';
import { withStore } from './open.ts';
import { command, group, minute, prints, table, UsageError } from './terminal.ts';

const listLogouts = (options: { client?: string; state?: string; limit: string }) => {
  const limit = Number(options.limit);
  if (!/^\d{1,5}$/.test(options.limit) || limit < 1) throw new UsageError('--limit takes a number from 1.');
  return withStore(async (op) => {
    const { client = null, state = null } = options;
    const listed = await list(op, { client, state, limit });
    return {
      json: listed,
      text: table(
        ['ENDED', 'CLIENT ID', 'WHY', 'STATE', 'TRIES', 'LAST TRY', 'LAST FAILURE', 'ID'],
        listed.map((one) => [
          minute(one.createdAt),
          one.clientId,
          one.reason,
          one.state,
          String(one.attempts),
          minute(one.lastAttemptAt),
          one.lastFailure ?? '-',
          one.id,
        ]),
        'There are none.',
      ),
    };
  });
};

const retryLogout = (id: string) =>
  withStore(async (op) => {
    await retry(op, id);
    return { json: { id, state: 'pending' }, text: 'A running server tells the app once more, now.' };
  });

export function add(program: Command): void {
  const logout = group(
    program,
    'logout',
    'Shows what apps were told of ended sessions (back-channel logout).',
  );
  command(logout, 'list', 'Lists what was to be told to apps in the last 30 days, the latest first.')
    .option('--client <client_id>', 'to this app alone')
    .addOption(new Option('--state <state>', 'in this state alone').choices(STATES))
    .option('--limit <number>', 'at most so many', '100')
    .action(prints(listLogouts));
  command(logout, 'retry <id>', 'Tells an app once more, now, whatever became of it before.').action(
    prints(retryLogout),
  );
}
