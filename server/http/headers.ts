// The security headers of every answer (O11). They are set on the raw response in the first hook, because the protocol
// library takes the response over and what `reply.header()` holds is lost then (R7). @fastify/helmet builds its
// middlewares anew for each request and cannot run before a refusal; this table is built once.
import type { ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';

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

const PERMISSIONS = [
  ...[
    'accelerometer',
    'autoplay',
    'bluetooth',
    'browsing-topics',
    'camera',
    'display-capture',
    'encrypted-media',
  ],
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
  ...[
    'microphone',
    'midi',
    'payment',
    'picture-in-picture',
    'screen-wake-lock',
    'serial',
    'usb',
    'web-share',
  ],
  'xr-spatial-tracking',
]
  .map((feature) => `${feature}=()`)
  .join(', ');

/** Two years, the least the browsers' preload lists take. */
const HSTS = 'max-age=63072000; includeSubDomains';

/** Pages no app opens in a popup: nothing may hold a handle on their window. Sign-in pages need their opener. */
const ISOLATED = /^\/(account|admin|setup)(\/|\?|$)/;
/** What other origins may load: metadata, keys and the protocol's endpoints. */
const SHARED = /^\/(\.well-known|oauth2)\//;

export type SecurityHeaders = (response: ServerResponse, target: string) => void;

/** Made once; sets the headers for one request target. */
export function securityHeaders(https: boolean): SecurityHeaders {
  const always: [string, string][] = [
    ['Content-Security-Policy', PAGE_POLICY],
    ['X-Content-Type-Options', 'nosniff'],
    ['X-Frame-Options', 'DENY'],
    ['X-XSS-Protection', '0'],
    // Not no-referrer: under that browsers send `Origin: null` with our own forms.
    ['Referrer-Policy', 'same-origin'],
    ['Permissions-Policy', PERMISSIONS],
    ['Cache-Control', 'no-store'],
  ];
  if (https) always.push(['Strict-Transport-Security', HSTS]);
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
    "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'; base-uri 'none'; object-src 'none'",
    'X-Content-Type-Options: nosniff',
    'X-Frame-Options: DENY',
    'X-XSS-Protection: 0',
    'Referrer-Policy: same-origin',
    `Permissions-Policy: ${PERMISSIONS}`,
    'Cross-Origin-Resource-Policy: same-origin',
    'Cache-Control: no-store',
    ...(https ? [`Strict-Transport-Security: ${HSTS}`] : []),
  ].join('\r\n');
