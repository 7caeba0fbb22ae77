// The database for one command: that of the running server, else the embedded one for as long as it takes.
import { type Op, systemOp } from '../lib/op.ts';
import { createMail, type Mail } from '../mail/mail.ts';
import { openStore, type Store } from '../store.ts';

/** What makes mails; a running server sends them. */
export const mailOf = ({ config, ring, log }: Store): Mail =>
  createMail({ settings: config.mail, issuer: config.server.issuer, ring, log });

/** Runs `work` as `system/cli`; what was opened is closed on every path, also on Ctrl-C. */
export async function withStore<T>(work: (op: Op, store: Store) => Promise<T>): Promise<T> {
  const opening = openStore({ env: process.env, cwd: process.cwd(), role: 'command' });
  const interrupted = async (_signal: NodeJS.Signals, number: number) => {
    // Half of an opening cannot be undone, so it is waited for: else PostgreSQL would be left running.
    await opening.then((store) => store.close()).catch(() => {});
    process.exit(128 + number);
  };
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
  try {
    const store = await opening;
    try {
      return await work(systemOp(store.db, 'cli'), store);
    } finally {
      await store.close();
    }
  } finally {
    process.off('SIGINT', interrupted).off('SIGTERM', interrupted);
  }
}
