// The back-channel logout endpoints of apps, on a real port: each verifies what it is sent as the specification demands
// (OpenID Connect Back-Channel Logout 1.0, 2.6) and looks whether it has had the same `jti` before.
import { strict as assert } from 'node:assert';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { createRemoteJWKSet, type JWTPayload, jwtVerify } from 'jose';
import type { Test } from 'tap';

const EVENT = 'http://schemas.openid.net/event/backchannel-logout';

interface Received {
  clientId: string;
  token: string;
  claims: JWTPayload & { sid?: string };
  alg: string;
  /** The app has taken none with this jti before. */
  first: boolean;
}

/** A status, or nothing: the connection is cut. */
type Reply = number | null;

export interface Receiver {
  /** Where an app of this client_id is told. */
  uri(clientId: string): string;
  port: number;
  /** All that was verified, in the order it came. */
  received: Received[];
  /** Requests that were no valid logout token, in words. */
  strange: string[];
  /** Connections, whatever came over them. */
  connections: number;
  /** How the app answers; 200 unless set. One that has taken the jti answers 400 by itself. */
  reply: (one: Received) => Reply | Promise<Reply>;
  of(clientId: string): Received[];
  close(): Promise<void>;
  /** Again on the same port. */
  open(): Promise<void>;
}

export async function startReceiver(t: Test, issuer: string): Promise<Receiver> {
  const keys = createRemoteJWKSet(new URL(`${issuer}/oauth2/jwks`));
  const taken = new Set<string>();
  let server: Server;

  async function read(clientId: string, type: string | undefined, body: string): Promise<Received> {
    assert.match(type ?? '', /^application\/x-www-form-urlencoded\b/);
    const form = new URLSearchParams(body);
    assert.deepEqual([...form.keys()], ['logout_token']);
    const token = form.get('logout_token') ?? '';
    const { payload, protectedHeader } = await jwtVerify(token, keys, {
      issuer,
      audience: clientId,
      typ: 'logout+jwt',
      requiredClaims: ['iat', 'exp', 'jti', 'events', 'sub'],
      maxTokenAge: 120,
    });
    assert.deepEqual(payload.events, { [EVENT]: {} });
    assert.ok(!('nonce' in payload), 'a logout token has no nonce');
    assert.equal((payload.exp ?? 0) - (payload.iat ?? 0), 120);
    const first = !taken.has(payload.jti as string);
    return { clientId, token, claims: payload, alg: protectedHeader.alg, first };
  }

  const me: Receiver = {
    uri: (clientId) => `http://localhost:${me.port}/logout/${clientId}`,
    port: 0,
    received: [],
    strange: [],
    connections: 0,
    reply: () => 200,
    of: (clientId) => me.received.filter((one) => one.clientId === clientId),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
    async open() {
      server = createServer(async (request, response) => {
        const clientId = request.url?.split('/').pop() ?? '';
        let one: Received;
        try {
          assert.equal(request.method, 'POST');
          one = await read(clientId, request.headers['content-type'], await text(request));
        } catch (error) {
          me.strange.push(`${request.method} ${request.url}: ${(error as Error).message}`);
          response.writeHead(400).end();
          return;
        }
        me.received.push(one);
        const status = one.first ? await me.reply(one) : 400;
        if (status !== null && status < 300) taken.add(one.claims.jti as string);
        if (status === null) request.socket.destroy();
        else response.writeHead(status, { 'cache-control': 'no-store', location: '/elsewhere' }).end();
      });
      server.on('connection', () => {
        me.connections++;
      });
      server.listen(me.port, '127.0.0.1');
      await once(server, 'listening');
      me.port = (server.address() as AddressInfo).port;
    },
  };
  await me.open();
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return me;
}
