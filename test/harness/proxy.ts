// Replicas behind one address, where no two requests in a row meet the same replica: what a replica keeps to itself
// is missing at the very next request.
import { once } from 'node:events';
import { createServer, request as httpRequest } from 'node:http';
import type { Test } from 'tap';
import { visitor } from './browser.ts';
import { type Fleet, startFleet } from './fleet.ts';
import { freePort } from './server.ts';

export interface Behind extends Fleet {
  issuer: string;
  /** How many requests each replica has got. */
  turns: number[];
}

export async function startBehindProxy(t: Test, env: Record<string, string> = {}): Promise<Behind> {
  const port = await freePort();
  const issuer = `http://localhost:${port}`;
  const fleet = await startFleet(t, { env: { ISSUER: issuer, ...env } });
  const turns = fleet.servers.map(() => 0);
  let turn = 0;
  const proxy = createServer((incoming, outgoing) => {
    const index = turn++ % turns.length;
    turns[index] = (turns[index] ?? 0) + 1;
    const { method, url: path, headers } = incoming;
    const passed = httpRequest(
      { host: '127.0.0.1', port: fleet.at(index).port, method, path, headers, agent: false },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      },
    );
    passed.on('error', () => outgoing.destroy());
    incoming.pipe(passed);
  }).listen(port, '127.0.0.1');
  await once(proxy, 'listening');
  t.teardown(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  return { ...fleet, issuer, turns, browser: () => visitor(issuer) };
}
