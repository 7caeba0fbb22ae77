// Tokens with which apps register themselves (DYNAMIC_REGISTRATION), from the command line.
import type { Command } from 'commander';
import { createToken, listTokens, revokeToken } from '../clients/registration.ts';
import { withStore } from './open.ts';
import { asFacts, command, facts, group, minute, prints, table, UsageError } from './terminal.ts';

const DAY = 86_400;
const YEAR = 365 * DAY;

interface Options {
  uses: string;
  ttl: string;
  note?: string;
}

function whole(flag: string, text: string, most: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || value > most)
    throw new UsageError(`${flag} is a whole number from 1 to ${most}.`);
  return value;
}

const createOne = ({ uses, ttl, note }: Options) =>
  withStore(async (op, { config }) => {
    if (note !== undefined && (note.length > 200 || /\p{Cc}/u.test(note)))
      throw new UsageError('--note has 200 characters at most.');
    const made = await createToken(op, {
      uses: uses === 'any' ? null : whole('--uses', uses, 1_000_000),
      ttl: whole('--ttl', ttl, YEAR),
      note: note ?? null,
    });
    const json = {
      name: made.name,
      token: made.value,
      uses_left: made.usesLeft ?? 'any',
      expires_at: made.expiresAt,
    };
    const off =
      config.registration.mode === 'off'
        ? '\nDYNAMIC_REGISTRATION is off: apps are not registered until it is set to token or open.'
        : '';
    return {
      json,
      text: `${facts(asFacts(json))}\nThe token is shown this once; only its hash is kept.${off}`,
    };
  });

const listAll = () =>
  withStore(async (op) => {
    const tokens = await listTokens(op);
    return {
      json: tokens.map(({ name, note, usesLeft, createdAt, expiresAt }) => ({
        name,
        note,
        uses_left: usesLeft ?? 'any',
        created_at: createdAt,
        expires_at: expiresAt,
      })),
      text: table(
        ['NAME', 'USES LEFT', 'EXPIRES', 'MADE', 'NOTE'],
        tokens.map(({ name, note, usesLeft, createdAt, expiresAt }) => [
          name,
          String(usesLeft ?? 'any'),
          minute(expiresAt),
          minute(createdAt),
          note ?? '-',
        ]),
        'There are no registration tokens.',
      ),
    };
  });

const revokeOne = (name: string) =>
  withStore(async (op) => {
    await revokeToken(op, name);
    return { json: { revoked: name }, text: 'It lets no more apps in. Those it has let in stay.' };
  });

/** Below `gatehouse client`. */
export function addRegistration(client: Command): void {
  const tokens = group(
    client,
    'registration-token',
    'Makes and revokes tokens with which apps register themselves.',
  );
  command(tokens, 'create', 'Makes a token and prints it.')
    .option('--uses <n>', 'how many apps it lets in, or any', '1')
    .option('--ttl <seconds>', 'how long it lets them in; an hour otherwise', '3600')
    .option('--note <text>', 'what it is for')
    .action(prints(createOne));
  command(tokens, 'list', 'Lists those that still let apps in.').action(prints(listAll));
  command(tokens, 'revoke <name>', 'Revokes one, by its name in the list.').action(prints(revokeOne));
}
