// What is decided about a request before anything else sees it (R1-R3): that it is meant for this origin, that it came
// safely, and from which address. The protocol library behind us builds URLs from Host and X-Forwarded-*, from anyone:
// so a strange Host ends here, and forwarding headers are replaced by what we found out ourselves.
import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { FastifyRequest } from 'fastify';
import type { Config } from '../../config/options.ts';
import type { Database } from '../../drizzle/database.ts';
import { canonicalAddress, parseNetworks } from '../lib/addresses.ts';
import type { Op, RequestFacts } from '../lib/op.ts';
import { Problem } from '../lib/problems.ts';

const MOST_HEADERS = 100;
const MOST_COOKIES = 100;
const LONGEST_HEADER_NAME = 256;
const FORWARDING: ReadonlySet<string> = new Set([
  'forwarded',
  'x-real-ip',
  'x-client-ip',
  'true-client-ip',
  'cf-connecting-ip',
]);
const isForwarding = (name: string) => name.startsWith('x-forwarded-') || FORWARDING.has(name);

const known = new WeakMap<IncomingMessage, RequestFacts>();

/** Id, canonical client address and user agent of a request that has passed the arrival hook. */
export function factsOf(request: FastifyRequest | IncomingMessage): RequestFacts {
  const facts = known.get('raw' in request ? request.raw : request);
  if (!facts) throw new Error('the request did not come in by the arrival hook');
  return facts;
}

/** An op for what this request does, of somebody who has proved nothing yet. */
export const opOf = (db: Database, request: FastifyRequest): Op => ({
  db,
  now: new Date(),
  by: { kind: 'anonymous', id: null, request: factsOf(request) },
});

export const factsIfKnown = (request: IncomingMessage): RequestFacts | undefined => known.get(request);

const CONTROL = /\p{Cc}/gu;

/** The request is to be repeated at this address. */
export class Elsewhere extends Error {
  readonly location: string;
  constructor(location: string) {
    super('the request belongs to another address');
    this.location = location;
  }
}

/** A path with bytes that are not UTF-8, a broken escape or U+0000 means different things to different readers. */
function checkTarget(target: string): void {
  if (!/^\/(?!\/)[\x21-\x7e]*$/.test(target) || /[\\#]/.test(target)) throw new Problem('request.malformed');
  if (!target.includes('%')) return;
  if (target.includes('%00')) throw new Problem('request.forbiddenCharacter');
  try {
    decodeURIComponent(target);
  } catch {
    throw new Problem('request.malformed');
  }
}

function checkHeaders(raw: IncomingMessage): void {
  const names = raw.rawHeaders;
  if (names.length > 2 * MOST_HEADERS) throw new Problem('request.headersTooLarge');
  let hosts = 0;
  for (let at = 0; at < names.length; at += 2) {
    const name = names[at] as string;
    if (name.length > LONGEST_HEADER_NAME) throw new Problem('request.headersTooLarge');
    if (name.length === 4 && name.toLowerCase() === 'host') hosts++;
  }
  const coding = raw.headers['transfer-encoding'];
  if (hosts > 1 || (coding !== undefined && coding.toLowerCase() !== 'chunked')) {
    throw new Problem('request.malformed');
  }
  const cookies = raw.headers.cookie;
  if (cookies !== undefined && cookies.length > MOST_COOKIES && cookies.split(';').length > MOST_COOKIES) {
    throw new Problem('request.headersTooLarge');
  }
}

/** An entry of X-Forwarded-For: an address, some proxies add the port. */
function hopAddress(entry: string): string | null {
  const text = entry.trim();
  const withPort = /^\[([^\]]+)\](?::\d{1,5})?$/.exec(text) ?? /^([\d.]+):\d{1,5}$/.exec(text);
  return canonicalAddress(withPort?.[1] ?? text);
}

export interface Arrival {
  /** Throws Problem or Elsewhere for what goes no further; the facts are known in every case where an address is. */
  judge(raw: IncomingMessage, id: string): void;
}

export function createArrival(config: Config): Arrival {
  const issuer = new URL(config.server.issuer);
  const https = issuer.protocol === 'https:';
  const hosts = new Set([issuer.host, `${issuer.hostname}:${issuer.port || (https ? 443 : 80)}`]);
  const proxies = parseNetworks(config.server.trustedProxies);

  /** The right-most address that is not one of our proxies; left of it anyone may have written anything. */
  function clientAddress(peer: string, forwardedFor: string | undefined): string {
    if (forwardedFor === undefined) return peer;
    const hops = forwardedFor.split(',');
    let address = peer;
    while (proxies.has(address) && hops.length > 0) {
      const hop = hopAddress(hops.pop() as string);
      if (hop === null) throw new Problem('request.malformed');
      address = hop;
    }
    return address;
  }

  function forget(raw: IncomingMessage, address: string): void {
    for (const name of Object.keys(raw.headers)) if (isForwarding(name)) delete raw.headers[name];
    const kept: string[] = [];
    for (let at = 0; at < raw.rawHeaders.length; at += 2) {
      const name = raw.rawHeaders[at] as string;
      if (!isForwarding(name.toLowerCase())) kept.push(name, raw.rawHeaders[at + 1] as string);
    }
    const scheme = https ? 'https' : 'http';
    kept.push('X-Forwarded-Proto', scheme, 'X-Forwarded-For', address);
    raw.rawHeaders = kept;
    raw.headers['x-forwarded-proto'] = scheme;
    raw.headers['x-forwarded-for'] = address;
  }

  return {
    judge(raw, id) {
      const target = raw.url ?? '';
      const peer = canonicalAddress(raw.socket.remoteAddress ?? '');
      // Only a socket that is gone already has no address.
      if (peer === null) throw new Problem('request.malformed');
      const agent = raw.headers['user-agent'];
      const facts: RequestFacts = {
        id,
        address: peer,
        userAgent: agent === undefined ? null : agent.replace(CONTROL, '').slice(0, 400).toWellFormed(),
      };
      known.set(raw, facts);

      checkHeaders(raw);
      const byProxy = proxies.has(peer);
      const forwardedProto = raw.headers['x-forwarded-proto'];
      if (byProxy) facts.address = clientAddress(peer, raw.headers['x-forwarded-for'] as string | undefined);
      forget(raw, facts.address);

      checkTarget(target);
      // Probes know no host name; the page for a wrong host needs its style sheet.
      if (target === '/livez' || target === '/readyz' || target.startsWith('/assets/')) return;
      const host = raw.headers.host?.toLowerCase();
      if (host === undefined || !hosts.has(host)) throw new Problem('request.wrongHost');
      if (!https || (raw.socket as TLSSocket).encrypted) return;
      const claimed = String(forwardedProto ?? '')
        .split(',')
        .pop()
        ?.trim()
        .toLowerCase();
      if (byProxy && claimed === 'https') return;
      // A proxy that is not in TRUSTED_PROXIES would send a browser round in circles.
      const browsing =
        (raw.method === 'GET' || raw.method === 'HEAD') && /text\/html/.test(raw.headers.accept ?? '');
      if (browsing && claimed !== 'https') throw new Elsewhere(`${issuer.origin}${target}`);
      throw new Problem('request.insecure', {
        message:
          'This server is reached over https only. If a proxy in front speaks https, list its address in TRUSTED_PROXIES and have it send X-Forwarded-Proto.',
      });
    },
  };
}
