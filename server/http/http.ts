// The HTTP base every room stands on: one Fastify with explicit limits, whose first hook judges each request
// (arrival.ts) under the security headers of every answer (headers.ts), and one way out for failures (failures.ts).
// Order matters: the headers are on the raw response before anything can refuse or take the response over.
import { randomUUIDv7 } from 'node:crypto';
import cookie from '@fastify/cookie';
import formbody from '@fastify/formbody';
import fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from 'fastify';
import type { Config } from '../../config/options.ts';
import { assets } from '../../views/assets.ts';
import type { Log } from '../lib/log.ts';
import { Problem } from '../lib/problems.ts';
import { rejectText } from '../lib/text.ts';
import { createArrival, factsIfKnown } from './arrival.ts';
import { createFailures, isProtocol, pathOf, watchMethods } from './failures.ts';
import { securityHeaders } from './headers.ts';
import { readCertificate, watchCertificate } from './tls.ts';

const MAX_HEADER_SIZE = 16 * 1024;
const LONGEST_LOGGED_PATH = 300;
/** How often half-sent requests are looked for, in ms: what the header and request timeouts are exact to. */
const CONNECTION_CHECK = 500;
const WRONG_KEY = /\[|^(__proto__|constructor|prototype)$/;

export interface HttpParts {
  log: Log;
  /** Migrated, keys there, database answering; a rejection counts as no. */
  ready: () => Promise<boolean>;
}

/** One value per name: `a=1&a=2` and `a[b]=1` mean different things to different readers (ATK-A084). */
function flatOnly(values: unknown): void {
  for (const [name, value] of Object.entries((values ?? {}) as Record<string, unknown>)) {
    if (typeof value !== 'string' || WRONG_KEY.test(name)) throw new Problem('request.invalid');
  }
}

const isForm = (request: FastifyRequest) =>
  /^application\/x-www-form-urlencoded\b/i.test(request.headers['content-type'] ?? '');

function checkInput(request: FastifyRequest): void {
  flatOnly(request.query);
  rejectText(request.query);
  rejectText(request.params);
  if (request.body === undefined || request.body === null) return;
  if (isForm(request)) flatOnly(request.body);
  rejectText(request.body);
}

/**
 * The server, not listening yet: register the rooms' routes, then `app.listen({ host, port })`.
 * Speaks TLS when the settings name a certificate. Throws Error when it cannot be read.
 */
export function createHttp(config: Config, { log, ready }: HttpParts): FastifyInstance {
  const { server } = config;
  const arrival = createArrival(config);
  const failures = createFailures(config, log);
  const dress = securityHeaders(server.issuer.startsWith('https:'));

  const certificate = readCertificate(server);
  const node = {
    maxHeaderSize: MAX_HEADER_SIZE,
    insecureHTTPParser: false,
    headersTimeout: Math.min(server.headersTimeout, server.requestTimeout) * 1000,
    connectionsCheckingInterval: CONNECTION_CHECK,
    ...(certificate ? { ...certificate, minVersion: 'TLSv1.2' as const, handshakeTimeout: 10_000 } : {}),
  };
  const app = fastify({
    ...(certificate ? { https: node } : { http: node }),
    loggerInstance: log,
    // One line per request, written when it is over.
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'requestId' }),
    requestIdHeader: false,
    genReqId: () => randomUUIDv7(),
    // The client address is resolved once, in arrival.ts.
    trustProxy: false,
    bodyLimit: server.bodyLimit,
    requestTimeout: server.requestTimeout * 1000,
    connectionTimeout: (server.requestTimeout + 60) * 1000,
    keepAliveTimeout: server.keepAliveTimeout * 1000,
    forceCloseConnections: 'idle',
    // Fastify's own 503 knows neither our headers nor our codes; what still arrives on open connections is served.
    return503OnClosing: false,
    exposeHeadRoutes: true,
    onProtoPoisoning: 'error',
    onConstructorPoisoning: 'error',
    routerOptions: {
      caseSensitive: true,
      ignoreTrailingSlash: false,
      ignoreDuplicateSlashes: false,
      maxParamLength: 200,
    },
    // Nothing is bent into shape: "1" is not 1, and a field nobody knows is an error.
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, allErrors: false } },
    clientErrorHandler: failures.clientError,
    frameworkErrors: (error, request, reply) => {
      // The router refused the target, so the hooks never ran.
      try {
        arrive(request, reply);
        failures.answer(error, request, reply);
      } catch (refusal) {
        failures.answer(refusal, request, reply);
      }
    },
  }) as unknown as FastifyInstance;
  if (certificate) watchCertificate(app, server, log);
  app.server.on('checkExpectation', (_raw, response) =>
    response.writeHead(417, { Connection: 'close' }).end(),
  );

  function arrive(request: FastifyRequest, reply: FastifyReply): void {
    const { raw } = request;
    dress(reply.raw, raw.url ?? '');
    // Protocol errors have no field for it.
    reply.raw.setHeader('X-Request-Id', request.id);
    if (log.isLevelEnabled('info')) noteEnd(request, reply);
    arrival.judge(raw, request.id);
  }

  /** On `close`: an answer given up by the client is logged too. */
  function noteEnd(request: FastifyRequest, reply: FastifyReply): void {
    const from = performance.now();
    reply.raw.once('close', () => {
      const path = pathOf(request.raw).slice(0, LONGEST_LOGGED_PATH);
      const line = {
        requestId: request.id,
        method: request.method,
        path,
        status: reply.raw.statusCode,
        ms: Math.round((performance.now() - from) * 10) / 10,
        address: factsIfKnown(request.raw)?.address ?? null,
        ...(reply.raw.writableFinished ? {} : { aborted: true }),
      };
      if (path === '/livez' || path === '/readyz') log.debug(line, 'request');
      else log.info(line, 'request');
    });
  }

  app.addHook('onRequest', (request, reply, done) => {
    try {
      arrive(request, reply);
      if (request.method === 'TRACE') throw new Problem('request.methodNotAllowed');
      done();
    } catch (error) {
      done(error as Error);
    }
  });
  app.addHook('preValidation', (request, _reply, done) => {
    try {
      // The library reports wrong parameters in the form of its RFCs; mount.ts has checked its text.
      if (!isProtocol(request)) checkInput(request);
      done();
    } catch (error) {
      done(error as Error);
    }
  });

  const methodsOf = watchMethods(app);
  app.setErrorHandler(failures.answer);
  app.setNotFoundHandler((request, reply) => {
    const allowed = methodsOf(pathOf(request.raw));
    if (allowed.length === 0) throw new Problem('request.notFound');
    reply.header('Allow', allowed.join(', '));
    throw new Problem('request.methodNotAllowed');
  });

  app.register(cookie);
  app.register(formbody, { bodyLimit: server.bodyLimit });

  app.get('/livez', async () => ({ status: 'ok' }));
  app.get('/readyz', async (request, reply) => {
    const isReady = await ready().catch((error: unknown) => {
      request.log.warn({ err: error }, 'not ready');
      return false;
    });
    return reply.code(isReady ? 200 : 503).send({ status: isReady ? 'ok' : 'unavailable' });
  });
  for (const [path, { body, type }] of assets) {
    app.get(path, (_request, reply) =>
      reply
        .header('Cache-Control', 'public, max-age=31536000, immutable')
        .header('Content-Type', type)
        .send(body),
    );
  }
  return app;
}
