// Why a database cannot be used, in words for whoever runs the server: what the network or PostgreSQL said, where, and
// what to look at. Of the connection it names host, port, database and user, never the password.
import { type Connection, faultCode } from './database.ts';

/** The message is a sentence an operator can act on. */
export class DatabaseError extends Error {
  override readonly name = 'DatabaseError';
}

/** The innermost message: Drizzle's own repeats the statement and hides why it failed. */
function said(error: unknown): string {
  let at = error;
  while (at instanceof Error && at.cause instanceof Error) at = at.cause;
  return at instanceof Error ? at.message : String(at);
}

const TLS = /^(ERR_TLS_|ERR_SSL_|CERT_|SELF_SIGNED_|DEPTH_ZERO_|UNABLE_TO_|HOSTNAME_MISMATCH)/;
const NETWORK = /^(E[A-Z_]+|CONNECT_TIMEOUT|CONNECTION_(CLOSED|ENDED|DESTROYED))$/;

/**
 * A DatabaseError for a fault of the network or of PostgreSQL, met on a connection that came from `setting`; any
 * other error as it is.
 */
export function unusable(
  error: unknown,
  { host, port, user, database }: Connection,
  setting: string,
): unknown {
  const code = faultCode(error);
  if (code === undefined) return error;
  const place = host.startsWith('/') ? host : `${host}:${port}`;
  const says = `${said(error)} (${code})`;
  const sentence = (text: string) => new DatabaseError(text, { cause: error });
  if (TLS.test(code)) {
    return sentence(
      `PostgreSQL at ${place} cannot be reached over TLS: ${says}. Look at its certificate and at sslmode in ${setting}; a CA of your own goes into NODE_EXTRA_CA_CERTS.`,
    );
  }
  if (NETWORK.test(code)) {
    return sentence(
      `PostgreSQL at ${place} cannot be reached: ${says}. Check that it runs, that this machine may reach it, and ${setting}.`,
    );
  }
  if (!/^[0-9A-Z]{5}$/.test(code)) return error;
  if (code.startsWith('28')) {
    return sentence(
      `PostgreSQL at ${place} does not let ${user} in: ${says}. Check user and password in ${setting}.`,
    );
  }
  if (code === '3D000') {
    return sentence(
      `PostgreSQL at ${place} has no such database: ${says}. Make it with ENCODING 'UTF8' TEMPLATE template0, or correct ${setting}.`,
    );
  }
  if (code === '42501') {
    return sentence(
      `${user} lacks a right in the database ${database} at ${place}: ${says}. The role of DATABASE_OWNER_URL (of DATABASE_URL where that is not set) has to own the database; the other role gets its rights from it.`,
    );
  }
  return sentence(`PostgreSQL at ${place} refuses: ${says}.`);
}
