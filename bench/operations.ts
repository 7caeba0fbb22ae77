// The rows of the table: what one lane does again and again, the same at every server under test. What can be used
// once (codes, refresh tokens, interactions) is fresh each time, as it is in life.
import { type Lane, load, pace, type Sample, type Watched } from './load.ts';
import { PEOPLE, type Target } from './servers.ts';
import {
  API,
  authorizePath,
  type Browser,
  basic,
  codeBody,
  emailOf,
  expectStatus,
  formRequest,
  getRequest,
  openBrowser,
  PATHS,
} from './visitor.ts';
import { openWire, type Wire } from './wire.ts';

export const LANES = 16;
/** Of the row with sign-ins beside token traffic. */
const SIGN_INS_PER_SECOND = 30;

interface Tokens {
  access: string;
  refresh: string;
}

/** What one connection needs: a signed-in person's browser, and tokens of theirs. */
interface Seat {
  wire: Wire;
  browser: Browser;
  tokens: Tokens;
  /** The next person who signs in on this connection. */
  person: number;
}

const field = (body: string, name: string): string => {
  const value = new RegExp(`"${name}":"([^"]+)"`).exec(body)?.[1];
  if (!value) throw new Error(`no ${name}: ${body}`);
  return value;
};

async function redeem(target: Target, wire: Wire, code: string): Promise<string> {
  const request = formRequest(target.host, PATHS.token, codeBody(code), basic(target));
  return expectStatus(await wire.ask(request), 200).body;
}

async function sit(target: Target, person: number): Promise<Seat> {
  const wire = openWire(target.port);
  const browser = openBrowser(wire, target);
  const path = authorizePath({ scope: 'openid email offline_access', prompt: 'consent' });
  const body = await redeem(target, wire, await browser.code(path, emailOf(person)));
  const tokens = { access: field(body, 'access_token'), refresh: field(body, 'refresh_token') };
  return { wire, browser, tokens, person };
}

type Make = (target: Target, seat: Seat) => Lane;

const introspection: Make = (target, { wire, tokens }) => {
  const request = formRequest(target.host, PATHS.introspection, `token=${tokens.access}`, basic(target));
  return async () => {
    const { body } = expectStatus(await wire.ask(request), 200);
    if (!body.includes('"active":true')) throw new Error(`not active: ${body}`);
  };
};

/** A JWT in the app's own name, signed for each request. */
const machine: Make = (target, { wire }) => {
  const form = new URLSearchParams({ grant_type: 'client_credentials', resource: API });
  const request = formRequest(target.host, PATHS.token, String(form), basic(target));
  return async () => {
    const { body } = expectStatus(await wire.ask(request), 200);
    if (!body.includes('"access_token":"eyJ')) throw new Error(`no JWT: ${body}`);
  };
};

const repeat =
  (requestOf: (target: Target, seat: Seat) => string): Make =>
  (target, seat) => {
    const request = requestOf(target, seat);
    return async () => expectStatus(await seat.wire.ask(request), 200);
  };

const signIn: Make = (target, seat) => async () => {
  const browser = openBrowser(seat.wire, target);
  seat.person = (seat.person + LANES) % PEOPLE;
  await redeem(target, seat.wire, await browser.code(authorizePath(), emailOf(seat.person)));
};

export const operations: Readonly<Record<string, Make>> = {
  discovery: repeat(({ host }) => getRequest(host, '/.well-known/openid-configuration')),
  jwks: repeat(({ host }) => getRequest(host, PATHS.jwks)),
  machine,
  introspection,
  userinfo: repeat(({ host }, { tokens }) =>
    getRequest(host, PATHS.userinfo, `Authorization: Bearer ${tokens.access}\r\n`),
  ),
  refresh: (target, { wire, tokens }) => {
    const authorization = basic(target);
    return async () => {
      const form = `grant_type=refresh_token&refresh_token=${tokens.refresh}`;
      const { body } = expectStatus(
        await wire.ask(formRequest(target.host, PATHS.token, form, authorization)),
        200,
      );
      tokens.refresh = field(body, 'refresh_token');
      tokens.access = field(body, 'access_token');
    };
  },
  authorize: (target, { wire, browser }) => {
    const path = authorizePath();
    return async () => redeem(target, wire, await browser.codeAtOnce(path));
  },
  password: signIn,
};

/** Rows beside the operations: token traffic while others sign in. */
export const MIXED = 'mixed';
export const rows = [...Object.keys(operations), MIXED];

export interface MixedSample extends Sample {
  signIns: { rate: number; p50: number; p99: number; errors: number; missed: number };
}

/** One server's connections, signed in once and used for every row. */
export interface Crew {
  target: Target;
  run(row: string, seconds: number, lanes?: number): Promise<Sample | MixedSample>;
  close(): void;
}

export async function hire(target: Target, postmaster: number | null): Promise<Crew> {
  const seats: Seat[] = [];
  for (let at = 0; at < LANES; at++) seats.push(await sit(target, at));
  const besides: Seat[] = seats.map(({ browser, tokens, person }) => ({
    wire: openWire(target.port),
    browser,
    tokens,
    person,
  }));
  const watched: Watched = { server: target.pid, postmaster };

  async function mixed(seconds: number): Promise<MixedSample> {
    const lanes = besides.map((seat) => signIn(target, seat));
    const [sample, signIns] = await Promise.all([
      load(
        seats.map((seat) => machine(target, seat)),
        seconds,
        watched,
      ),
      pace(lanes, SIGN_INS_PER_SECOND, seconds),
    ]);
    // What the sign-ins took is in there, too: it says nothing about one operation.
    return { ...sample, server: null, database: null, signIns };
  }

  return {
    target,
    run(row, seconds, count = LANES) {
      if (row === MIXED) return mixed(seconds);
      const make = operations[row];
      if (!make) throw new Error(`there is no row ${JSON.stringify(row)}; there are ${rows.join(', ')}`);
      const lanes = seats.slice(0, count).map((seat) => make(target, seat));
      return load(lanes, seconds, watched);
    },
    close() {
      for (const { wire } of [...seats, ...besides]) wire.close();
    },
  };
}
