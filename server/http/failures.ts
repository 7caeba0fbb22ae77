// How a failure leaves the house (O4): as a page for people, in our JSON format for the rest, in the form of RFC 6749 on
// the protocol's endpoints. Each has a stable code and the request id; what happened inside goes to the log only (ATK-A020).
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Config } from '../../config/options.ts';
import { faultCode, isUnavailable } from '../../drizzle/database.ts';
import { problemPage, wrongHostPage } from '../../views/problem.ts';
import { en } from '../../views/words.ts';
import type { Log } from '../lib/log.ts';
import { Problem, type ProblemCode, problems } from '../lib/problems.ts';
import { Elsewhere } from './arrival.ts';
import { headerLines } from './headers.ts';

/** Of the answer format, not of the program: which release runs is nobody's business. */
const FORMAT_VERSION = '1';

const BY_FASTIFY_CODE: Readonly<Record<string, ProblemCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'request.tooLarge',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'request.unsupportedMediaType',
  FST_ERR_CTP_EMPTY_TYPE: 'request.unsupportedMediaType',
  FST_ERR_MAX_PARAM_LENGTH: 'request.notFound',
  FST_ERR_NOT_FOUND: 'request.notFound',
};
const BY_STATUS: Readonly<Record<number, ProblemCode>> = {
  404: 'request.notFound',
  405: 'request.methodNotAllowed',
  408: 'request.timeout',
  413: 'request.tooLarge',
  415: 'request.unsupportedMediaType',
  429: 'request.tooMany',
  503: 'server.busy',
};

/** Text that PostgreSQL cannot hold, where no check at the door has seen it. */
const UNSTORABLE = new Set(['22021', '22P05']);

function validationDetails(error: FastifyError): Record<string, string> {
  const details: Record<string, string> = {};
  for (const { instancePath, message, params, keyword } of error.validation ?? []) {
    const missing = keyword === 'required' ? params.missingProperty : params.additionalProperty;
    const field = [
      ...instancePath.split('/').slice(1),
      ...(typeof missing === 'string' ? [missing] : []),
    ].join('.');
    details[field || (error.validationContext ?? 'request')] = message ?? 'is not valid';
  }
  return details;
}

/** Whatever was thrown, as something its caller may see. */
function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  const fastify = (error ?? {}) as FastifyError;
  if (fastify.validation) return new Problem('request.invalid', { details: validationDetails(fastify) });
  const status = typeof fastify.statusCode === 'number' ? fastify.statusCode : 500;
  if (status < 500 || status === 503) {
    const code =
      BY_FASTIFY_CODE[fastify.code] ??
      BY_STATUS[status] ??
      (status < 500 ? 'request.malformed' : 'server.busy');
    return new Problem(code, { cause: error });
  }
  if (UNSTORABLE.has(faultCode(error) ?? ''))
    return new Problem('request.forbiddenCharacter', { cause: error });
  if (isUnavailable(error)) return new Problem('server.unavailable', { retryAfter: 5, cause: error });
  return new Problem('server.fault', { cause: error });
}

/** People get pages; what reads JSON says so or says nothing. */
const wantsPage = (raw: IncomingMessage): boolean =>
  !raw.url?.startsWith('/api/') && (raw.headers.accept ?? '').includes('text/html');

const OAUTH_ERRORS: Readonly<Record<number, string>> = {
  500: 'server_error',
  503: 'temporarily_unavailable',
};

/** Protocol endpoints answer in the form of their RFCs; a route says so by `config: { protocol: true }`. */
export const isProtocol = (request: FastifyRequest): boolean =>
  (request.routeOptions.config as { protocol?: boolean } | undefined)?.protocol === true;

/** The path without its query, which may hold what does not belong in logs and pages. */
export const pathOf = (raw: IncomingMessage): string => (raw.url ?? '').split('?', 1)[0] as string;

export interface Failures {
  /** For Fastify's error handlers. */
  answer(error: unknown, request: FastifyRequest, reply: FastifyReply): void;
  /** For connections whose bytes are not HTTP, too big or too slow. */
  clientError(error: NodeJS.ErrnoException, socket: Socket): void;
}

export function createFailures(config: Config, log: Log): Failures {
  const issuer = config.server.issuer;
  const socketHeaders = headerLines(issuer.startsWith('https:'));

  /** A stale form is mended by loading its page again; without its query, which could be anything. */
  const waysOn = (code: ProblemCode, raw: IncomingMessage) =>
    code === 'request.formExpired'
      ? {
          actions: [
            { label: en.problem.loadAgain, href: pathOf(raw) },
            { label: en.common.toStart, href: '/' },
          ],
        }
      : {};

  function bodyOf(problem: Problem, raw: IncomingMessage, id: string, protocol: boolean): [string, string] {
    const { code, message, details } = problem;
    if (wantsPage(raw)) {
      const page =
        code === 'request.wrongHost'
          ? wrongHostPage({ host: (raw.headers.host ?? '').slice(0, 253), issuer })
          : problemPage({ code, message, requestId: id, ...waysOn(code, raw) });
      return ['text/html; charset=utf-8', page.toString()];
    }
    const body = protocol
      ? { error: OAUTH_ERRORS[problem.status] ?? 'invalid_request', error_description: message }
      : {
          success: false,
          error: { code, message, ...(details ? { details } : {}) },
          meta: { timestamp: new Date().toISOString(), version: FORMAT_VERSION, requestId: id },
        };
    return ['application/json; charset=utf-8', JSON.stringify(body)];
  }

  function answerRaw(
    error: unknown,
    raw: IncomingMessage,
    response: ServerResponse,
    { id, protocol }: { id: string; protocol: boolean },
  ) {
    if (response.headersSent) {
      // Half an answer must not look like a whole one.
      log.error({ err: error, requestId: id }, 'failed in the middle of an answer');
      response.destroy();
      return;
    }
    if (error instanceof Elsewhere) {
      response.writeHead(308, { Location: error.location, 'Content-Length': 0 });
      response.end();
      return;
    }
    const problem = problemOf(error);
    if (problem.status >= 500) {
      // Away or busy is the operator's to see, but no fault of the program.
      const level = problem.status === 503 ? 'warn' : 'error';
      log[level]({ err: problem.cause ?? problem, requestId: id, code: problem.code }, 'request failed');
    } else {
      log.debug({ err: problem, requestId: id, code: problem.code }, 'request refused');
    }
    const [type, body] = bodyOf(problem, raw, id, protocol);
    response.setHeader('Cache-Control', 'no-store');
    if (problem.retryAfter !== undefined) response.setHeader('Retry-After', Math.ceil(problem.retryAfter));
    // The rest of a body nobody will read would be taken for the next request.
    if (!raw.complete) response.setHeader('Connection', 'close');
    response.writeHead(problem.status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) });
    response.end(raw.method === 'HEAD' ? undefined : body);
  }

  return {
    answer(error, request, reply) {
      if (!reply.raw.headersSent) {
        // What a handler has set on the reply (a cookie, Allow) goes along, except what described its own body.
        for (const [name, value] of Object.entries(reply.getHeaders())) {
          if (value !== undefined && !/^(content-(?!security).*|etag|transfer-encoding)$/.test(name)) {
            reply.raw.setHeader(name, value);
          }
        }
      }
      reply.hijack();
      answerRaw(error, request.raw, reply.raw, { id: request.id, protocol: isProtocol(request) });
    },
    clientError(error, socket) {
      if (error.code === 'ECONNRESET' || socket.destroyed) return;
      const code: ProblemCode =
        error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
          ? 'request.timeout'
          : error.code === 'HPE_HEADER_OVERFLOW' || error.code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW'
            ? 'request.headersTooLarge'
            : 'request.malformed';
      log.debug({ err: error, code }, 'connection refused');
      const { status, message } = problems[code];
      // An answer that has begun on this connection must not get another one in its middle.
      const answering = (socket as Socket & { _httpMessage?: ServerResponse })._httpMessage;
      if (socket.writable && !answering?.headersSent) {
        const body = JSON.stringify({
          success: false,
          error: { code, message },
          meta: { timestamp: new Date().toISOString(), version: FORMAT_VERSION },
        });
        socket.write(
          `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${socketHeaders}\r\nConnection: close\r\n` +
            `Content-Type: application/json; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
        );
      }
      socket.destroySoon();
    },
  };
}

export interface KnownRoute {
  /** As declared: `/login/:uid`. */
  url: string;
  methods: ReadonlySet<string>;
}

const watched = new WeakMap<object, Map<string, { url: string; pattern: RegExp; methods: Set<string> }>>();

/** Every route of a server made by `createHttp`, for what must hold on all of them. */
export const routesOf = (app: FastifyInstance): KnownRoute[] => [
  ...(watched.get(app.server)?.values() ?? []),
];

/** Methods of every route, so that a known path answers a wrong method with 405 and not with 404. */
export function watchMethods(app: FastifyInstance): (path: string) => string[] {
  const routes = new Map<string, { url: string; pattern: RegExp; methods: Set<string> }>();
  watched.set(app.server, routes);
  app.addHook('onRoute', ({ url, method }) => {
    let route = routes.get(url);
    if (!route) {
      const pattern = url
        .split('/')
        .map((part) =>
          part.startsWith(':') ? '[^/]+' : part === '*' ? '.*' : part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'),
        )
        .join('/');
      route = { url, pattern: new RegExp(`^${pattern}$`), methods: new Set() };
      routes.set(url, route);
    }
    for (const one of [method].flat()) route.methods.add(one);
  });
  return (path) => {
    const allowed = new Set<string>();
    for (const { pattern, methods } of routes.values()) {
      if (pattern.test(path)) for (const one of methods) allowed.add(one);
    }
    return [...allowed].sort();
  };
}
