// In what a URI that came differs from one that is registered, in a developer's words. URIs are compared as text here as
// the protocol compares them (RFC 9700 2.1): nothing is normalised, so what a browser would call the same is a difference.
import { ENCODED, withoutValues } from './quotes.ts';

interface Parts {
  scheme: string;
  host: string;
  port: string;
  path: string;
  query: string;
  fragment: boolean;
}

/** Of a URI without its query's values. */
function partsOf(uri: string): Parts {
  const [, scheme = '', authority = '', path = '', query = '', fragment] =
    /^([a-z][a-z0-9+.-]*:)?(?:\/\/([^/?#]*))?([^?#]*)(\?[^#]*)?(#.*)?$/i.exec(uri) ?? [];
  const [, host = '', port = ''] = /^(.*?)(?::(\d*))?$/.exec(authority) ?? [];
  return { scheme, host, port, path, query, fragment: fragment !== undefined };
}

const same = (a: string, b: string) => a.toLowerCase() === b.toLowerCase();
const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);
const without = (path: string) => path.replace(/\/+$/, '');

interface Difference {
  /** How far it leads away from what was meant. */
  weight: number;
  says: string;
}

function schemes(came: Parts, own: Parts): Difference[] {
  if (came.scheme === own.scheme) return [];
  if (same(came.scheme, own.scheme)) return [{ weight: 1, says: 'upper and lower case in the scheme' }];
  return [{ weight: 2, says: `the scheme: ${came.scheme || 'none'} instead of ${own.scheme}` }];
}

function hosts(came: Parts, own: Parts): Difference[] {
  if (came.host === own.host) return [];
  if (same(came.host, own.host)) return [{ weight: 1, says: 'upper and lower case in the host' }];
  const says = `the host: ${came.host || 'none'} instead of ${own.host || 'none'}`;
  if (LOOPBACK.has(came.host) && LOOPBACK.has(own.host))
    return [{ weight: 2, says: `${says}, which are two hosts although both are this machine` }];
  return [{ weight: 20, says }];
}

function ports(came: Parts, own: Parts): Difference[] {
  if (came.port === own.port) return [];
  return [
    {
      weight: 2,
      says: `the port: ${came.port || 'none is named'} instead of ${own.port || 'none'}`,
    },
  ];
}

function paths(came: Parts, own: Parts): Difference[] {
  if (came.path === own.path) return [];
  if (without(came.path) === without(own.path)) {
    const more = came.path.length > own.path.length;
    return [{ weight: 1, says: `a slash at the end, which is ${more ? 'too much' : 'missing'}` }];
  }
  if (same(came.path, own.path)) return [{ weight: 1, says: 'upper and lower case in the path' }];
  if (without(came.path) === '') return [{ weight: 4, says: `the path: ${own.path} is missing` }];
  return [{ weight: 8, says: `the path: ${came.path} instead of ${own.path || 'none'}` }];
}

function queries(came: Parts, own: Parts): Difference[] {
  const fragment = came.fragment ? [{ weight: 1, says: 'a fragment (#…), which is not allowed' }] : [];
  if (came.query === own.query) return fragment;
  if (own.query === '') return [{ weight: 2, says: 'a query (?…), which is too much' }, ...fragment];
  if (came.query === '') return [{ weight: 2, says: 'the query, which is missing' }, ...fragment];
  return [{ weight: 2, says: 'the parameters in the query' }, ...fragment];
}

/** Among those registered the one most like `came`, and in what they differ; null where none is registered. */
export function nearest(
  came: string,
  registered: readonly string[],
): { uri: string; differences: string[] } | null {
  const encoded = came.startsWith(ENCODED);
  const parts = partsOf(encoded ? came.slice(ENCODED.length) : came);
  const all = registered.map((uri) => {
    const own = partsOf(withoutValues(uri));
    const differences = [schemes, hosts, ports, paths, queries].flatMap((differ) => differ(parts, own));
    return { uri, differences, weight: differences.reduce((sum, { weight }) => sum + weight, 0) };
  });
  const [first] = all.sort((a, b) => a.weight - b.weight);
  if (!first) return null;
  const says = first.differences.map((one) => one.says);
  return {
    uri: first.uri,
    differences: encoded ? ['its encoding: it was percent-encoded twice', ...says] : says,
  };
}
