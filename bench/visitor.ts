// What the driver sends: plain requests of an app, and a person's browser that keeps cookies, follows redirects and
// fills the sign-in and consent forms. The same for every server under test.
import { formsOf } from '../test/harness/browser.ts';
import type { Answer, Wire } from './wire.ts';

export const PASSWORD = 'correct horse battery staple 9';
export const CLIENT = 'bench-app';
export const REDIRECT_URI = 'https://app.example/callback';
/** The API whose tokens are JWTs. */
export const API = 'https://api.example/';
export const emailOf = (person: number): string => `person-${person}@example.org`;

/** Where every server under test has the endpoints of the protocol. */
export const PATHS = {
  authorization: '/oauth2/authorize',
  token: '/oauth2/token',
  userinfo: '/oauth2/userinfo',
  jwks: '/oauth2/jwks',
  introspection: '/oauth2/introspect',
  revocation: '/oauth2/revoke',
  end_session: '/oauth2/logout',
} as const;

/** One proof for all requests: making a fresh one would only load the driver. RFC 7636 appendix B. */
const VERIFIER = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk';
const CHALLENGE = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM';

export interface App {
  host: string;
  origin: string;
  secret: string;
}

export const getRequest = (host: string, path: string, headers = ''): string =>
  `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${headers}\r\n`;

export const formRequest = (host: string, path: string, body: string, headers = ''): string =>
  `POST ${path} HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${headers}\r\n${body}`;

export const basic = ({ secret }: App): string =>
  `Authorization: Basic ${Buffer.from(`${CLIENT}:${secret}`).toString('base64')}\r\n`;

export function expectStatus(answer: Answer, status: number): Answer {
  if (answer.status !== status) {
    throw new Error(`${answer.status} instead of ${status}: ${answer.head}${answer.body.slice(0, 300)}`);
  }
  return answer;
}

export function authorizePath(more: Record<string, string> = {}): string {
  const query = new URLSearchParams({
    client_id: CLIENT,
    redirect_uri: REDIRECT_URI,
    response_type: 'code',
    scope: 'openid',
    state: 'bench',
    nonce: 'bench',
    code_challenge: CHALLENGE,
    code_challenge_method: 'S256',
    ...more,
  });
  return `${PATHS.authorization}?${query}`;
}

export const codeBody = (code: string): string =>
  new URLSearchParams({
    grant_type: 'authorization_code',
    code,
    redirect_uri: REDIRECT_URI,
    code_verifier: VERIFIER,
  }).toString();

const SET_COOKIE = /\r\nset-cookie: ([^=\r]+)=([^;\r]*)([^\r]*)/gi;
const GONE = /expires=Thu, 01 Jan 1970|max-age=0/i;

const locationOf = (answer: Answer): string | undefined => /\r\nlocation: ([^\r]+)/i.exec(answer.head)?.[1];

function codeIn(location: string): string {
  const code = /[?&]code=([^&]+)/.exec(location)?.[1];
  if (!code) throw new Error(`no code: ${location}`);
  return code;
}

export interface Browser {
  /** The code of an authorization request that is answered at once: signed in, and nothing to ask. */
  codeAtOnce(path: string): Promise<string>;
  /** From an authorization request through whatever pages come, to the code at the app's redirect URI. */
  code(path: string, email: string): Promise<string>;
}

export function openBrowser(wire: Wire, { host, origin }: App): Browser {
  const jar = new Map<string, { value: string; path: string }>();

  function cookies(path: string): string {
    const sent: string[] = [];
    for (const [name, cookie] of jar) {
      if (path.startsWith(cookie.path)) sent.push(`${name}=${cookie.value}`);
    }
    return sent.length === 0 ? '' : `Cookie: ${sent.join('; ')}\r\n`;
  }
  function keep(answer: Answer): Answer {
    for (const [, name = '', value = '', attributes = ''] of answer.head.matchAll(SET_COOKIE)) {
      const path = /path=([^;]+)/i.exec(attributes)?.[1] ?? '/';
      if (GONE.test(attributes)) jar.delete(name);
      else jar.set(name, { value, path });
    }
    return answer;
  }
  const pathOf = (url: string) => url.split('?', 1)[0] as string;
  const get = async (path: string) =>
    keep(await wire.ask(getRequest(host, path, `Accept: text/html\r\n${cookies(pathOf(path))}`)));
  async function post(path: string, fields: Record<string, string>): Promise<Answer> {
    const headers = `Accept: text/html\r\nOrigin: ${origin}\r\nSec-Fetch-Site: same-origin\r\n${cookies(path)}`;
    return keep(await wire.ask(formRequest(host, path, new URLSearchParams(fields).toString(), headers)));
  }

  return {
    async codeAtOnce(path) {
      const location = locationOf(await get(path));
      if (!location?.startsWith(REDIRECT_URI)) throw new Error(`sent to ${location} instead of the app`);
      return codeIn(location);
    },
    async code(path, email) {
      let answer = await get(path);
      for (let step = 0; step < 16; step++) {
        const location = locationOf(answer);
        if (location?.startsWith(REDIRECT_URI)) return codeIn(location);
        if (location) {
          answer = await get(location.startsWith(origin) ? location.slice(origin.length) : location);
          continue;
        }
        expectStatus(answer, 200);
        const form = formsOf(answer.body).find(({ action }) =>
          /^\/(login\/[^/]+\/password|consent\/[^/]+|interaction\/[^/]+)$/.test(action),
        );
        if (!form) throw new Error(`a page without a way on: ${answer.body.slice(0, 300)}`);
        answer = await post(form.action, { ...form.fields, email, password: PASSWORD, decision: 'allow' });
      }
      throw new Error('the flow does not end');
    },
  };
}
