// The server's own certificate: read at start, read again when either file changes, so that a renewal needs no restart.
import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import type { Server } from 'node:https';
import { createSecureContext } from 'node:tls';
import type { FastifyInstance } from 'fastify';
import { SettingsError } from '../../config/load.ts';
import type { Config } from '../../config/options.ts';
import type { Log } from '../lib/log.ts';

/** Polling, because certificates are replaced by renaming and by swapping symbolic links, which events miss. */
const LOOK_EVERY = 2000;

interface Certificate {
  cert: Buffer;
  key: Buffer;
}

/** Undefined when the settings name none. Throws SettingsError when a file is missing or the two are no pair. */
export function readCertificate({ tlsCert, tlsKey }: Config['server']): Certificate | undefined {
  if (!tlsCert || !tlsKey) return undefined;
  try {
    const certificate = { cert: readFileSync(tlsCert), key: readFileSync(tlsKey) };
    createSecureContext(certificate);
    return certificate;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new SettingsError([
      `TLS_CERT and TLS_KEY must be PEM files: the chain, the server’s own certificate first, and its key without a passphrase (${code}).`,
    ]);
  }
}

export function watchCertificate(app: FastifyInstance, settings: Config['server'], log: Log): void {
  const files = [settings.tlsCert, settings.tlsKey].filter((file) => file !== null);
  const reload = () => {
    try {
      const certificate = readCertificate(settings);
      if (certificate) {
        (app.server as unknown as Server).setSecureContext({ ...certificate, minVersion: 'TLSv1.2' });
      }
      log.info('the TLS certificate was read again');
    } catch (error) {
      // Between the two renames of a renewal the files do not fit each other; the next change mends it.
      log.warn({ err: error }, 'the new TLS certificate cannot be used; the old one stays');
    }
  };
  for (const file of files) watchFile(file, { interval: LOOK_EVERY, persistent: false }, reload);
  app.addHook('onClose', async () => {
    for (const file of files) unwatchFile(file, reload);
  });
}
