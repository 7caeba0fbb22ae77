// Signing keys from the command line. Running servers take a new one over by themselves.
import type { Command } from 'commander';
import { type Alg, createKeys } from '../keys/keys.ts';
import { withStore } from './open.ts';
import { command, group, minute, prints, table, UsageError } from './terminal.ts';

const listKeys = () =>
  withStore(async (op, { config, ring, log }) => {
    const listed = await createKeys(config.keys, { ring, log }).list(op);
    return {
      json: listed,
      text: table(
        ['ALG', 'STATE', 'PUBLISHED', 'SIGNS FROM', 'LEAVES', 'KID'],
        listed.map((key) => [
          key.alg,
          key.state,
          minute(key.publishedAt),
          minute(key.activatesAt),
          minute(key.removedAt),
          key.kid,
        ]),
        'There are no signing keys yet; the first start of the server makes them.',
      ),
    };
  });

interface RotateOptions {
  alg?: string;
  now?: true;
  compromised?: true;
}

const rotateKeys = (options: RotateOptions) => {
  const algs: readonly Alg[] = ['RS256', 'ES256', 'EdDSA'];
  const alg = algs.find((one) => one === options.alg);
  if (options.alg !== undefined && alg === undefined) {
    throw new UsageError(`--alg takes one of ${algs.join(', ')}.`);
  }
  return withStore(async (op, { config, ring, log }) => {
    const rotated = await createKeys(config.keys, { ring, log }).rotate(op, {
      ...(alg ? { alg } : {}),
      now: options.now === true,
      compromised: options.compromised === true,
    });
    return {
      json: rotated,
      text: rotated
        .map((key) => `${key.alg}: ${key.kid} signs from ${key.activatesAt.toISOString()}.`)
        .join('\n'),
    };
  });
};

export function add(program: Command): void {
  const keys = group(program, 'keys', 'Shows and replaces the keys that sign tokens.');
  command(keys, 'list', 'Lists the signing keys and their times.').action(prints(listKeys));
  command(keys, 'rotate', 'Publishes new signing keys, which sign after KEY_PUBLISH_AHEAD.')
    .option('--alg <alg>', 'of RS256, ES256 or EdDSA alone')
    .option('--now', 'they sign in seconds; apps that have cached the JWKS must fetch it again')
    .option('--compromised', 'the old keys are known to others: they leave the JWKS in seconds too')
    .action(prints(rotateKeys));
}
