// Gives routes to the protocol library (R5). Explicit routes, no middleware layer whose idea of a path differs from the
// router's (CVE-2026-22031, CVE-2026-2880). The library reads the body itself (R9); it is let in only when the body
// has arrived in full and holds nothing PostgreSQL cannot store (R10), so that no transaction waits for a slow sender.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify';
import { Problem } from '../lib/problems.ts';
import { isStorable, rejectText } from '../lib/text.ts';
import { openFormTargets } from './headers.ts';

export interface LibraryRoute {
  method: HTTPMethods | HTTPMethods[];
  path: string;
  /**
   * Pages of ours that the library drives: their forms stay on this site, and this looks at what they post before
   * the library does. Throws Problem.
   */
  guard?: (request: FastifyRequest) => void;
}

/** The library's own limit is 56 KiB; a stream buffers 64 KiB before it pushes back. */
const BODY_LIMIT = 56 * 1024;

/** Waits for the whole body and puts it back into the stream, unread for whoever comes next. */
function wholeBody(raw: IncomingMessage): Promise<Buffer> {
  const declared = raw.headers['content-length'];
  if (Number(declared ?? 0) > BODY_LIMIT) return Promise.reject(new Problem('request.tooLarge'));
  if (declared === '0' || (declared === undefined && raw.headers['transfer-encoding'] === undefined)) {
    return Promise.resolve(Buffer.alloc(0));
  }
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const settle = (work: () => void) => {
      raw.off('readable', look);
      raw.off('end', ended);
      raw.off('error', failed);
      raw.off('close', failed);
      work();
    };
    const failed = () => settle(() => reject(new Problem('request.malformed')));
    const ended = () => settle(() => resolve(Buffer.alloc(0)));
    const look = () => {
      const complete = raw.complete;
      for (let chunk: Buffer | null = raw.read(); chunk !== null; chunk = raw.read()) {
        chunks.push(chunk);
        size += chunk.length;
      }
      if (size > BODY_LIMIT) return settle(() => reject(new Problem('request.tooLarge')));
      if (!complete || size === 0) return;
      const body = Buffer.concat(chunks);
      settle(() => {
        // In the same turn as the last read: the stream has not announced its end yet.
        raw.unshift(body);
        resolve(body);
      });
    };
    raw.on('readable', look);
    raw.on('end', ended);
    raw.on('error', failed);
    raw.on('close', failed);
  });
}

function checkBody(raw: IncomingMessage, body: Buffer): void {
  if (body.length === 0) return;
  if (body.includes(0)) throw new Problem('request.forbiddenCharacter');
  if (!/^application\/(.+\+)?json\b/i.test(raw.headers['content-type'] ?? '')) {
    if (body.includes('%00')) throw new Problem('request.forbiddenCharacter');
    return;
  }
  let value: unknown;
  try {
    value = JSON.parse(body.toString());
  } catch {
    return; // the library says so in the form of its RFC
  }
  rejectText(value);
}

/** Client credentials in Basic reach the library decoded. */
function checkCredentials(raw: IncomingMessage): void {
  const basic = /^basic +([\w+/=-]+)$/i.exec(raw.headers.authorization ?? '');
  if (!basic) return;
  const decoded = Buffer.from(basic[1] as string, 'base64').toString();
  if (!isStorable(decoded) || decoded.includes('%00')) throw new Problem('request.forbiddenCharacter');
}

export type Library = (raw: IncomingMessage, response: ServerResponse) => unknown;

/**
 * Hands these routes to the library with the raw request and response, body unread. `begin` sees the request first,
 * while headers (a cookie) can still be set, and answers who takes it from there.
 */
export function mountLibrary(
  app: FastifyInstance,
  routes: readonly LibraryRoute[],
  begin: (request: FastifyRequest, reply: FastifyReply) => Library,
): void {
  app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, _payload, done) => done(null));
    for (const { method, path, guard } of routes) {
      scope.route({
        method,
        url: path,
        config: { protocol: true } as object,
        handler: async (request, reply) => {
          const { raw } = request;
          checkCredentials(raw);
          const body = await wholeBody(raw);
          checkBody(raw, body);
          if (guard && request.method === 'POST') {
            request.body = Object.fromEntries(new URLSearchParams(body.toString()));
            guard(request);
          }
          const library = begin(request, reply);
          if (!guard) openFormTargets(reply.raw);
          // What `reply.header()` was told is lost with the reply. Security headers are on the raw response already; the rest is
          // the cookie of a new browser.
          const cookie = reply.getHeader('set-cookie');
          if (cookie !== undefined) reply.raw.setHeader('set-cookie', cookie);
          reply.hijack();
          try {
            await library(raw, reply.raw);
          } catch (error) {
            // Fastify has let go of the answer; its error handler would not be called any more.
            scope.errorHandler(error as FastifyError, request, reply);
          }
        },
      });
    }
  });
}
