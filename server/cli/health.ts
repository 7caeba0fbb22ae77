// Whether the server of these settings is alive, asked on its own port. For the health check of a container: no
// database, as little loaded as possible.
import { request as ask, type IncomingMessage } from 'node:http';
import { request as askSecurely } from 'node:https';
import { isIP } from 'node:net';
import type { Command } from 'commander';
import { loadConfig } from '../../config/load.ts';
import type { Config } from '../../config/options.ts';
import { command, prints } from './terminal.ts';

const PATIENCE = 3000;
const LONGEST = 1000;

interface Health {
  alive: boolean;
  /** A sentence. */
  says: string;
}

/** Where a server that listens on `host` is reached from its own machine, most likely first. */
function addressesOf(host: string): readonly string[] {
  if (host === '0.0.0.0') return ['127.0.0.1'];
  return host === '::' ? ['127.0.0.1', '::1'] : [host];
}

function get(server: Config['server'], address: string): Promise<{ status: number; body: string }> {
  const { host, hostname } = new URL(server.issuer);
  const name = hostname.replace(/^\[|\]$/g, '');
  const tls = server.tlsCert !== null;
  const options = {
    host: address,
    port: server.port,
    path: '/livez',
    agent: false,
    headers: { host },
    signal: AbortSignal.timeout(PATIENCE),
  };
  return new Promise((resolve, reject) => {
    const answered = (response: IncomingMessage) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (text: string) => {
        body = (body + text).slice(0, LONGEST);
      });
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    };
    // The certificate is made out to the issuer and may be a private one: the question is who lives on this port
    // of our own machine, and nothing secret is sent. `doctor` looks at the certificate.
    const asked = tls
      ? askSecurely(
          { ...options, rejectUnauthorized: false, ...(isIP(name) ? {} : { servername: name }) },
          answered,
        )
      : ask(options, answered);
    asked.on('error', reject);
    asked.end();
  });
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ABORT_ERR: `no answer within ${PATIENCE / 1000} seconds`,
  EPROTO: 'TLS is not spoken there',
  ECONNRESET: 'the connection was cut',
};

/** Asks /livez of the configured port. */
export async function healthOf(server: Config['server']): Promise<Health> {
  let says = '';
  for (const address of addressesOf(server.host)) {
    const at = `${address.includes(':') ? `[${address}]` : address}:${server.port}`;
    try {
      const { status, body } = await get(server, address);
      if (status === 200 && /"status"\s*:\s*"ok"/.test(body)) {
        return { alive: true, says: `The server at ${at} is alive.` };
      }
      says = `What answers at ${at} is not a Gatehouse in good health (${status}).`;
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException;
      says = `No server answers at ${at}: ${REASONS[code] ?? code}.`;
    }
  }
  return { alive: false, says };
}

async function health() {
  const { config } = loadConfig({ env: process.env, cwd: process.cwd() });
  const { alive, says } = await healthOf(config.server);
  return { json: { alive, says }, text: says, ...(alive ? {} : { exitCode: 1 as const }) };
}

export function add(program: Command): void {
  command(program, 'health', 'Says whether the server is alive; the exit code is 1 when it is not.').action(
    prints(health),
  );
}
