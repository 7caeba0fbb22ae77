// The keys of apps that the library fetches (jwks_uri). It remembers those it got, but not that it got none: anybody could
// have an app's broken address asked as often as he sends a request, from here and in our name. So an address is asked
// once in five seconds, and until then everybody hears what it said.
import type { Egress } from '../egress/egress.ts';

/** Milliseconds. */
const WHILE = 5000;
/** Addresses that are remembered, each with an answer of at most OUTBOUND_MAX_BYTES. */
const MOST = 500;

interface Answer {
  status: number;
  headers: Headers;
  body: ArrayBuffer;
}

export function fetchSeldom(egress: Pick<Egress, 'fetch'>): Egress['fetch'] {
  const asked = new Map<string, { at: number; answer: Promise<Answer> }>();

  async function ask(...request: Parameters<Egress['fetch']>): Promise<Answer> {
    const response = await egress.fetch(...request);
    return { status: response.status, headers: response.headers, body: await response.arrayBuffer() };
  }

  return async (input, init) => {
    const url = input instanceof Request ? input.url : String(input);
    const now = Date.now();
    const before = asked.get(url);
    const recent =
      before !== undefined && now - before.at < WHILE ? before : { at: now, answer: ask(input, init) };
    if (recent !== before) {
      if (asked.size >= MOST) asked.clear();
      asked.set(url, recent);
    }
    const { status, headers, body } = await recent.answer;
    return new Response(body.byteLength > 0 ? body : null, { status, headers });
  };
}
