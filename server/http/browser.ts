// Which browser this is, and that a form came from one of our own pages (CSRF). A form carries an HMAC over the browser
// cookie and what the form belongs to; Origin and Sec-Fetch-Site are checked first. A guarded scope checks every request
// that can change something: no route can forget it. RFC 9700 §4.7, ASVS 3.5.1.
import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { fastifyCookie } from '@fastify/cookie';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Problem } from '../lib/problems.ts';
import { mac, newSecret } from '../lib/secrets.ts';

const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);
const FORM = /^[A-Za-z0-9_-]{43}$/;
const FORM_TYPE = /^application\/x-www-form-urlencoded\s*(;|$)/i;

// The cookie has a fixed length, so no two pairs make the same text.
const formMac = (key: string, browser: string, binding: string): Buffer =>
  mac(key, 'form', `${browser}\n${binding}`);

/**
 * The token of a form: base64url HMAC-SHA-256 of the browser cookie and the binding under the newest cookie key.
 * `keys` are base64 or base64url, newest first.
 */
export function formToken(keys: readonly string[], browser: string, binding: string): string {
  return formMac(keys[0] as string, browser, binding).toString('base64url');
}

export interface Browser {
  /** The browser cookie's value; a new one is set when it is missing or malformed. */
  id(request: FastifyRequest, reply: FastifyReply): string;
  /** For the hidden field `_csrf` of a form; `binding` says what it belongs to (interaction uid, session uid, page). */
  token(request: FastifyRequest, reply: FastifyReply, binding: string): string;
  /** Throws Problem `request.crossSite`, `request.unsupportedMediaType` or `request.formExpired`. */
  checkForm(request: FastifyRequest, binding: string): void;
  /** Covers all routes of a scope, whatever they are: call it before the routes. */
  guard(scope: FastifyInstance, bindingOf: (request: FastifyRequest) => string): void;
}

export function createBrowser(issuer: string, keys: readonly string[]): Browser {
  if (keys.length === 0) throw new Error('there is no cookie key');
  const { protocol, origin } = new URL(issuer);
  const secure = protocol === 'https:';
  const name = secure ? '__Host-gatehouse_browser' : 'gatehouse_browser';
  const given = new WeakMap<IncomingMessage, string>();

  function known(request: FastifyRequest): string | undefined {
    const sent = request.cookies[name];
    return given.get(request.raw) ?? (sent !== undefined && FORM.test(sent) ? sent : undefined);
  }

  function id(request: FastifyRequest, reply: FastifyReply): string {
    const present = known(request);
    if (present !== undefined) return present;
    const fresh = newSecret();
    given.set(request.raw, fresh);
    // As a header at once: what `setCookie` keeps for later is lost when the library takes the response over.
    const attributes = { path: '/', httpOnly: true, sameSite: 'lax', secure } as const;
    reply.header('set-cookie', fastifyCookie.serialize(name, fresh, attributes));
    return fresh;
  }

  function checkSource({ headers }: FastifyRequest): void {
    const site = headers['sec-fetch-site'];
    const foreign = headers.origin !== undefined && headers.origin !== origin;
    if (foreign || (site !== undefined && site !== 'same-origin' && site !== 'none')) {
      throw new Problem('request.crossSite');
    }
    // Forms only: what JSON can hold (a number, a list) no handler here expects (ATK-A084).
    const type = headers['content-type'];
    if (type !== undefined && !FORM_TYPE.test(type)) throw new Problem('request.unsupportedMediaType');
  }

  function checkToken(request: FastifyRequest, binding: string): void {
    const browser = known(request);
    const sent = (request.body as { _csrf?: unknown } | null | undefined)?._csrf;
    if (browser === undefined || typeof sent !== 'string' || !FORM.test(sent)) {
      throw new Problem('request.formExpired');
    }
    const presented = Buffer.from(sent, 'base64url');
    let good = false;
    for (const key of keys) good = timingSafeEqual(formMac(key, browser, binding), presented) || good;
    if (!good) throw new Problem('request.formExpired');
  }

  const checkForm = (request: FastifyRequest, binding: string) => {
    checkSource(request);
    checkToken(request, binding);
  };

  return {
    id,
    token: (request, reply, binding) => formToken(keys, id(request, reply), binding),
    checkForm,
    guard(scope, bindingOf) {
      // The source first, before the body is read.
      scope.addHook('onRequest', async (request) => {
        if (!SAFE.has(request.method)) checkSource(request);
      });
      scope.addHook('preHandler', async (request) => {
        if (!SAFE.has(request.method)) checkForm(request, bindingOf(request));
      });
    },
  };
}
