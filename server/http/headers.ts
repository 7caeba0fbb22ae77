// The security headers of every answer (O11). @fastify/helmet says what they are, once, at load; this table is then set
// on the raw response in the first hook. So they are there before anything can refuse a request, on what the protocol
// library answers (what `reply.header()` holds is lost there, R7), and without building helmet's middleware anew for
// each request, as the plugin does.

import type { ServerResponse } from 'node:http';
import helmet from '@fastify/helmet';
import type { FastifyReply } from 'fastify';
import fastify from 'fastify';

const policy = (formAction: string) =>
  [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    formAction,
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "object-src 'none'",
  ]
    .filter(Boolean)
    .join('; ');

const PAGE_POLICY = policy("form-action 'self'");
/** For pages of the protocol library, whose forms end at redirect URIs of any registered app. */
const LIBRARY_POLICY = policy('');

/** Names that browsers know: any other is a warning in every visitor's console. */
const PERMISSIONS = [
  ...['accelerometer', 'autoplay', 'browsing-topics', 'camera', 'display-capture', 'encrypted-media'],
  ...[
    'fullscreen',
    'gamepad',
    'geolocation',
    'gyroscope',
    'hid',
    'idle-detection',
    'local-fonts',
    'magnetometer',
  ],
  ...['microphone', 'midi', 'payment', 'picture-in-picture', 'screen-wake-lock', 'serial', 'usb'],
  'xr-spatial-tracking',
]
  .map((feature) => `${feature}=()`)
  .join(', ');

/** Two years, the least the browsers' preload lists take. */
const HSTS = { maxAge: 63_072_000, includeSubDomains: true };

const HELMET = {
  // Written per kind of page below.
  contentSecurityPolicy: false,
  frameguard: { action: 'deny' },
  // Not no-referrer: under that browsers send `Origin: null` with our own forms.
  referrerPolicy: { policy: 'same-origin' },
  // By path: sign-in pages need their opener, and apps read the protocol's endpoints.
  crossOriginOpenerPolicy: false,
  crossOriginResourcePolicy: false,
} as const;

/** What helmet would set on any answer, and what it does not know of. */
async function tableOf(strictTransportSecurity: false | typeof HSTS): Promise<[string, string][]> {
  const probe = fastify();
  await probe.register(helmet, { ...HELMET, strictTransportSecurity });
  probe.get('/', (_request, reply) => reply.send());
  const bare = new Set(['content-length', 'connection', 'date', 'keep-alive']);
  const { headers } = await probe.inject({ method: 'GET', url: '/' });
  await probe.close();
  return [
    ...Object.entries(headers).flatMap(([name, value]): [string, string][] =>
      bare.has(name) || value === undefined ? [] : [[name, String(value)]],
    ),
    ['content-security-policy', PAGE_POLICY],
    ['permissions-policy', PERMISSIONS],
    ['cache-control', 'no-store'],
  ];
}

const HTTP_HEADERS = await tableOf(false);
const HTTPS_HEADERS = await tableOf(HSTS);

/** Pages no app opens in a popup: nothing may hold a handle on their window. Sign-in pages need their opener. */
const ISOLATED = /^\/(account|admin|device|setup)(\/|\?|$)/;
/** What other origins may load: metadata, keys and the protocol's endpoints. */
const SHARED = /^\/(\.well-known|oauth2)\//;

export type SecurityHeaders = (response: ServerResponse, target: string) => void;

/** Made once; sets the headers for one request target. */
export function securityHeaders(https: boolean): SecurityHeaders {
  const always = https ? HTTPS_HEADERS : HTTP_HEADERS;
  return (response, target) => {
    for (const [name, value] of always) response.setHeader(name, value);
    if (ISOLATED.test(target)) response.setHeader('Cross-Origin-Opener-Policy', 'same-origin');
    if (!SHARED.test(target)) response.setHeader('Cross-Origin-Resource-Policy', 'same-origin');
  };
}

export const openFormTargets = (response: ServerResponse): void => {
  response.setHeader('Content-Security-Policy', LIBRARY_POLICY);
};

/**
 * Lets a form on this one page end at the app's redirect URI: Chromium holds the redirects after a posted form to
 * `form-action` too. `redirectUri` is a registered one; a URI of a private scheme allows that scheme.
 */
export function allowFormTarget(reply: FastifyReply | ServerResponse, redirectUri: string): void {
  const url = URL.parse(redirectUri);
  // Policies have no form for IPv6 literals; the scheme is the narrowest that works for those loopback apps.
  const web = url !== null && /^https?:$/.test(url.protocol) && !url.hostname.startsWith('[');
  const target = web ? url.origin : (url?.protocol ?? '');
  if (!/^[a-z][a-z0-9+.-]*:[^\s;,']*$/i.test(target)) return;
  const response = 'raw' in reply ? reply.raw : reply;
  response.setHeader('Content-Security-Policy', policy(`form-action 'self' ${target}`));
}

/** The same headers for answers written straight to a socket, before there is a request. */
export const headerLines = (https: boolean): string =>
  [
    ...(https ? HTTPS_HEADERS : HTTP_HEADERS).filter(([name]) => name !== 'content-security-policy'),
    [
      'content-security-policy',
      "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; object-src 'none'",
    ],
    ['cross-origin-resource-policy', 'same-origin'],
  ]
    .map(([name, value]) => `${name}: ${value}`)
    .join('\r\n');
