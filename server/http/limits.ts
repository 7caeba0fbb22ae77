// A ceiling for the pages of one scope, per address and process, against floods: in memory, generous, lost on restart.
// It counts the address resolved on arrival, so no header moves a caller into another bucket (ATK-A073, ATK-A076).
import rateLimit from '@fastify/rate-limit';
import type { FastifyInstance } from 'fastify';
import { networkKey } from '../lib/addresses.ts';
import { Problem } from '../lib/problems.ts';
import { factsOf } from './arrival.ts';

const SILENT = {
  'x-ratelimit-limit': false,
  'x-ratelimit-remaining': false,
  'x-ratelimit-reset': false,
  'retry-after': false,
};

/** At most `most` requests in `seconds`; 0: no ceiling. Await it before the scope's routes are declared. */
export async function limitPages(scope: FastifyInstance, most: number, seconds = 60): Promise<void> {
  if (most === 0) return;
  await scope.register(rateLimit, {
    max: most,
    timeWindow: seconds * 1000,
    cache: 20_000,
    keyGenerator: (request) => networkKey(factsOf(request).address),
    errorResponseBuilder: (_request, { ttl }) => new Problem('request.tooMany', { retryAfter: ttl / 1000 }),
    addHeaders: SILENT,
    addHeadersOnExceeding: SILENT,
  });
}
