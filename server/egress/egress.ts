// Every request that Gatehouse makes to another server goes through here (R55). Its URL came from somebody: who
// registers an app names where its keys are. So the name is resolved once, every address is checked, and the connection
// goes to what was checked: a name that means another address a moment later gains nothing (DNS rebinding). https
// only, no redirect followed (ATK-A206), nothing decompressed, no proxy, no connection shared between requests, and
// one limit each on the time of everything, the headers and the body. What fails is an EgressError, with nothing of
// what was found behind the name.
import { lookup } from 'node:dns/promises';
import { request as askPlainly, type IncomingMessage } from 'node:http';
import { request as askSecurely, type RequestOptions } from 'node:https';
import { isIP } from 'node:net';
import type { Config } from '../../config/options.ts';
import { canonicalAddress } from '../lib/addresses.ts';
import type { Log } from '../lib/log.ts';
import { createJudge, hostOf, isOpenPort, LOOPBACK, portOf, readTarget } from './destinations.ts';

const SENTENCES = {
  bad_url: 'The URL must be an https URL without a user name or password.',
  bad_request: 'The request has a method or a header that cannot be sent.',
  blocked_port: 'The port is not one where web services are reached.',
  blocked_address: 'The host is not on the public Internet, nor in a network that the settings allow.',
  insecure: 'The URL must begin with https: plain http is for networks that the settings allow.',
  unresolvable: 'The host name has no address.',
  refused: 'The server refuses connections.',
  unreachable: 'The server cannot be reached.',
  tls: 'There is no trusted TLS connection to the server: its certificate or its TLS version is not accepted.',
  timeout: 'The server did not answer in full in time.',
  aborted: 'The request was given up before it was answered.',
  too_large: 'The answer is longer than what is read.',
  encoded: 'The answer is compressed, which was not asked for.',
  protocol: 'The answer is not a valid HTTP answer.',
  reset: 'The connection ended before the answer was complete.',
} as const;

type EgressReason = keyof typeof SENTENCES;

/** The sentence is for developers and administrators, and never says what is behind a name. */
export class EgressError extends Error {
  override readonly name = 'EgressError';
  readonly reason: EgressReason;
  constructor(reason: EgressReason) {
    super(SENTENCES[reason]);
    this.reason = reason;
  }
}

/** Somebody may be trying something: the operator wants to see these. */
const SUSPICIOUS: ReadonlySet<EgressReason> = new Set(['blocked_port', 'blocked_address', 'insecure']);

const LONGEST_HEADERS = 16_384;
/** What the connection itself says, or would open another way through it; `host` would also name the certificate. */
const OWN_HEADERS = [
  'accept-encoding',
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
];

type Resolve = (host: string) => Promise<readonly string[]>;

interface EgressParts {
  log: Log;
  /** Allows this machine's own addresses, also over plain http: for development, where the issuer is localhost. */
  loopback: boolean;
  /** All addresses of a host name; the system's resolver unless given. Asked at most once per request. */
  resolve?: Resolve;
}

interface Ask {
  method?: string;
  headers?: Headers | Record<string, string>;
  body?: string | Buffer;
  /** Seconds for everything together: name, connection, answer. OUTBOUND_TIMEOUT unless given. */
  timeout?: number;
  /** OUTBOUND_MAX_BYTES unless given. */
  maxBytes?: number;
  signal?: AbortSignal | null | undefined;
}

interface Answer {
  /** As the server said, 3xx too. */
  status: number;
  headers: Headers;
  body: Buffer;
}

/** For the log alone. */
type Findings = Record<string, unknown>;

type Stage = 'connecting' | 'handshake' | 'open';

function reasonOf(code: string, stage: Stage): EgressReason {
  if (code === 'ECONNREFUSED') return 'refused';
  if (stage === 'connecting') return 'unreachable';
  if (code.startsWith('HPE_')) return code.endsWith('_OVERFLOW') ? 'too_large' : 'protocol';
  if (code.startsWith('ERR_SSL_')) return 'tls';
  return stage === 'handshake' && code !== 'ECONNRESET' ? 'tls' : 'reset';
}

const systemAddresses = async (host: string): Promise<string[]> =>
  (await lookup(host, { all: true, order: 'verbatim' })).map(({ address }) => address);

/** Names looked up at the same time. */
const LOOKUPS = 2;

/**
 * The system looks a name up on one of the few threads that passwords are hashed on, holds it for as long as no name server
 * answers, and cannot be stopped. So a few at a time, and who asks for a name that is being looked up waits for that answer.
 */
function sparingly(resolve: Resolve): Resolve {
  const under = new Map<string, ReturnType<Resolve>>();
  const queue: (() => void)[] = [];
  let free = LOOKUPS;

  async function inTurn(host: string): Promise<readonly string[]> {
    if (free > 0) free--;
    else await new Promise<void>((go) => queue.push(go));
    try {
      return await resolve(host);
    } finally {
      under.delete(host);
      const next = queue.shift();
      if (next) next();
      else free++;
    }
  }

  return (host) => {
    const answer = under.get(host) ?? inTurn(host);
    under.set(host, answer);
    return answer;
  };
}

/** Throws `bad_url` and `blocked_port`. */
function targetOf(raw: string | URL): URL {
  const url = readTarget(raw);
  if (!url) throw new EgressError('bad_url');
  if (!isOpenPort(portOf(url))) throw new EgressError('blocked_port');
  return url;
}

function headersFor(url: URL, given: Ask['headers']): Record<string, string> {
  let headers: Headers;
  try {
    headers = new Headers(given);
  } catch {
    throw new EgressError('bad_request');
  }
  for (const name of OWN_HEADERS) headers.delete(name);
  // The protocol library sends an empty one, and some servers want to be told something.
  if (!headers.get('user-agent')) headers.set('user-agent', 'Gatehouse');
  return { ...Object.fromEntries(headers), host: url.host, 'accept-encoding': 'identity' };
}

/** The whole body, unless it is longer than `most` or compressed (a little could be a lot). */
async function bodyOf(response: IncomingMessage, most: number): Promise<Buffer> {
  const { 'content-encoding': encoding = 'identity', 'content-length': announced = '0' } = response.headers;
  if (encoding.trim().toLowerCase() !== 'identity') throw new EgressError('encoded');
  if (Number(announced) > most) throw new EgressError('too_large');
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > most) throw new EgressError('too_large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function headersOf(response: IncomingMessage): Headers {
  const headers = new Headers();
  for (let i = 0; i + 1 < response.rawHeaders.length; i += 2) {
    headers.append(response.rawHeaders[i] as string, response.rawHeaders[i + 1] as string);
  }
  return headers;
}

/** One request on a connection of its own, to one of these addresses. */
async function exchange(
  url: URL,
  addresses: readonly string[],
  ask: Ask & { maxBytes: number; signal: AbortSignal },
  found: Findings,
): Promise<Answer> {
  const secure = url.protocol === 'https:';
  const host = hostOf(url);
  const options: RequestOptions & { autoSelectFamily: boolean } = {
    agent: false,
    host,
    port: portOf(url),
    path: `${url.pathname}${url.search}`,
    method: ask.method ?? 'GET',
    headers: headersFor(url, ask.headers),
    maxHeaderSize: LONGEST_HEADERS,
    // A literal is connected to as it is, and was checked as well.
    lookup: (_host, _options, done) =>
      done(
        null,
        addresses.map((address) => ({ address, family: isIP(address) })),
      ),
    autoSelectFamily: true,
    signal: ask.signal,
    // Said here because environment variables can change what goes without saying.
    rejectUnauthorized: true,
    minVersion: 'TLSv1.2',
    servername: isIP(host) ? '' : host.replace(/\.$/, ''),
  };
  const outgoing = (secure ? askSecurely : askPlainly)(options);
  let stage: Stage = 'connecting';
  outgoing.once('socket', (socket) => {
    socket.once('connect', () => {
      stage = secure ? 'handshake' : 'open';
    });
    socket.once('secureConnect', () => {
      stage = 'open';
    });
  });
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      outgoing.on('error', reject);
      outgoing.once('response', resolve);
      // Also after an answer nobody asked for, such as 101.
      outgoing.once('close', () => reject(new EgressError('reset')));
      outgoing.end(ask.body);
    });
    const status = response.statusCode ?? 0;
    if (status < 200 || status > 599) throw new EgressError('protocol');
    return { status, headers: headersOf(response), body: await bodyOf(response, ask.maxBytes) };
  } catch (fault) {
    if (fault instanceof EgressError) throw fault;
    const { code = '' } = fault as NodeJS.ErrnoException;
    if (code !== '') found.code = code;
    throw new EgressError(reasonOf(code, stage));
  } finally {
    outgoing.destroy();
  }
}

export function createEgress(
  settings: Config['egress'],
  { log, loopback, resolve = systemAddresses }: EgressParts,
) {
  const resolved = sparingly(resolve);
  const judge = createJudge([...settings.privateNetworks, ...(loopback ? LOOPBACK : [])]);

  /** The addresses to connect to, every one of them allowed. */
  async function addressesOf(url: URL, found: Findings): Promise<string[]> {
    const host = hostOf(url);
    let all: readonly string[];
    try {
      all = isIP(host) === 0 ? await resolved(host) : [host];
    } catch (fault) {
      found.code = (fault as NodeJS.ErrnoException).code;
      throw new EgressError('unresolvable');
    }
    if (all.length === 0) throw new EgressError('unresolvable');
    const blocked = all.find((address) => judge(address) === 'blocked');
    if (blocked !== undefined) {
      found.address = blocked;
      throw new EgressError('blocked_address');
    }
    if (url.protocol === 'http:' && !all.every((address) => judge(address) === 'allowed')) {
      throw new EgressError('insecure');
    }
    return all.map((address) => canonicalAddress(address) as string);
  }

  /** Throws EgressError and nothing else. A status other than 2xx is no error. */
  async function request(to: string | URL, ask: Ask = {}): Promise<Answer> {
    const { timeout = settings.timeout, maxBytes = settings.maxBytes, signal, method = 'GET' } = ask;
    const found: Findings = {};
    const over = new AbortController();
    const stop = () =>
      over.abort(new EgressError(signal?.reason?.name === 'TimeoutError' ? 'timeout' : 'aborted'));
    const timer = setTimeout(() => over.abort(new EgressError('timeout')), timeout * 1000);
    // The resolver cannot be stopped, only no longer waited for.
    const ended = new Promise<never>((_, reject) => {
      over.signal.addEventListener('abort', () => reject(over.signal.reason), { once: true });
    });
    const work = async (): Promise<Answer> => {
      const url = targetOf(to);
      found.host = url.host;
      if (method !== 'GET' && method !== 'POST') throw new EgressError('bad_request');
      const addresses = await addressesOf(url, found);
      over.signal.throwIfAborted();
      return exchange(url, addresses, { ...ask, maxBytes, signal: over.signal }, found);
    };
    try {
      if (signal?.aborted) stop();
      else signal?.addEventListener('abort', stop, { once: true });
      return await Promise.race([ended, work()]);
    } catch (fault) {
      const error = over.signal.aborted ? over.signal.reason : fault;
      const known = error instanceof EgressError ? error : new EgressError('bad_request');
      if (known !== error) log.error({ err: error }, 'outbound request failed in an unknown way');
      const { reason } = known;
      log[SUSPICIOUS.has(reason) ? 'warn' : 'info']({ ...found, reason }, 'outbound request failed');
      throw known;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', stop);
    }
  }

  return {
    request,

    /**
     * Says what is wrong with a URL as it is written, when somebody saves it: throws EgressError. A host name is
     * not resolved: what it means is judged at every request.
     */
    check(to: string | URL): void {
      const url = targetOf(to);
      const host = hostOf(url);
      const verdict = isIP(host) === 0 ? null : judge(host);
      if (verdict === 'blocked') throw new EgressError('blocked_address');
      if (verdict === 'public' && url.protocol === 'http:') throw new EgressError('insecure');
    },

    /**
     * The same in the form of WHATWG fetch, for libraries. Redirects are never followed, whatever `redirect` says, and
     * a `dispatcher` is not used: the protocol library's looks at the address once it is connected, and lets
     * everything through where it cannot be built.
     */
    async fetch(input: string | URL | Request, init?: RequestInit): Promise<Response> {
      const url = input instanceof Request ? input.url : input;
      let asked: Request;
      try {
        asked = new Request(input, init);
      } catch {
        throw new EgressError(readTarget(url) ? 'bad_request' : 'bad_url');
      }
      const { status, headers, body } = await request(url, {
        method: asked.method,
        headers: asked.headers,
        ...(asked.body && { body: Buffer.from(await asked.arrayBuffer()) }),
        signal: init?.signal ?? (input instanceof Request ? input.signal : null),
      });
      const bodiless = status === 204 || status === 205 || status === 304;
      return new Response(bodiless ? null : new Uint8Array(body), { status, headers });
    },
  };
}

export type Egress = ReturnType<typeof createEgress>;
