// The way in for the first administrator, when the link of the server's log is gone or has expired.
import type { Command } from 'commander';
import { makeLink } from '../setup/setup.ts';
import { withStore } from './open.ts';
import { command, prints } from './terminal.ts';

const setupLink = () =>
  withStore(async (op, { config }) => {
    const { url, expiresAt } = await makeLink(op, {
      issuer: config.server.issuer,
      ttl: config.bootstrap.setupLinkTtl,
    });
    return {
      json: { url, expiresAt },
      text: `${url}\nIt makes the first administrator and works once, until ${expiresAt.toISOString()}.`,
    };
  });

export function add(program: Command): void {
  command(program, 'setup-link', 'Prints a one-time link that makes the first administrator.').action(
    prints(setupLink),
  );
}
