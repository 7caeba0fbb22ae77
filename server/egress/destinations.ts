// Which servers may be asked: by the form of the URL, the port, and each address that its name has. Stops requests
// that somebody else's URL would make to this machine, its network or the cloud's metadata (SSRF, ATK-A203). What is
// not known to be public is not (IANA special-purpose registries).
import { canonicalAddress, parseNetworks } from '../lib/addresses.ts';

/** Unicast of the Internet. Of IPv6 no more is assigned: mapped, NAT64, unique and link-local are all outside. */
const UNICAST = parseNetworks(['0.0.0.0/0', '2000::/3']);
const SPECIAL = parseNetworks([
  '0.0.0.0/8', // this network; Linux connects to itself
  '10.0.0.0/8', // private
  '100.64.0.0/10', // shared by carriers
  '127.0.0.0/8', // loopback
  '169.254.0.0/16', // link-local, metadata
  '172.16.0.0/12', // private
  '192.0.0.0/24', // protocol assignments
  '192.0.2.0/24', // documentation
  '192.31.196.0/24', // AS112
  '192.52.193.0/24', // AMT
  '192.88.99.0/24', // 6to4 relays
  '192.168.0.0/16', // private
  '192.175.48.0/24', // AS112
  '198.18.0.0/15', // benchmarks
  '198.51.100.0/24', // documentation
  '203.0.113.0/24', // documentation
  '224.0.0.0/4', // multicast
  '240.0.0.0/4', // reserved, broadcast
  '2001::/23', // protocol assignments: Teredo, benchmarks, ORCHID
  '2001:db8::/32', // documentation
  '2002::/16', // 6to4: an IPv4 address in disguise
  '2620:4f:8000::/48', // AS112
  '3fff::/20', // documentation
]);

/** Reached whatever the settings allow: never. No app is there, and metadata services give credentials away. */
const NEVER = parseNetworks([
  '0.0.0.0/8',
  '224.0.0.0/4',
  '255.255.255.255',
  '::',
  'ff00::/8',
  '169.254.169.254', // most clouds
  '169.254.170.2', // containers of AWS
  '169.254.170.23', // pods of AWS
  '100.100.100.200', // Alibaba
  '168.63.129.16', // Azure, on a public address
  '192.0.0.192', // Oracle
  'fd00:ec2::254', // AWS
  'fd00:ec2::23', // pods of AWS
  'fd20:ce::254', // Google
]);

/** This machine, for development: an app beside a server whose issuer is localhost. */
export const LOOPBACK: readonly string[] = ['127.0.0.0/8', '::1'];

/**
 * Below 1024 are the well-known services, of which only the web's are asked; above, what would act on an HTTP request
 * without being meant for one: data stores, and the control planes of containers. It matters in the networks that
 * the settings open.
 */
const WEB_PORTS = new Set([80, 443]);
const CLOSED_PORTS = new Set([
  1433, 1521, 2049, 2375, 2376, 2379, 2380, 3306, 3389, 5432, 5672, 5900, 5984, 6000, 6379, 6443, 9042, 9092,
  9200, 9300, 10250, 10255, 11211, 27017,
]);

/** Null for what is no http or https URL, or has a user name or password in it. */
export function readTarget(raw: string | URL): URL | null {
  const url = URL.parse(String(raw));
  if (!url || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') return null;
  return url;
}

export function portOf({ port, protocol }: URL): number {
  return Number(port || (protocol === 'https:' ? 443 : 80));
}

export const isOpenPort = (port: number): boolean =>
  WEB_PORTS.has(port) || (port >= 1024 && !CLOSED_PORTS.has(port));

/** The host as the system takes it: an IPv6 literal without its brackets. */
export const hostOf = ({ hostname }: URL): string => hostname.replace(/^\[|\]$/g, '');

export type Verdict = 'public' | 'allowed' | 'blocked';

/** Judges addresses in any written form; `exceptions` are allowed although they are not public. */
export function createJudge(exceptions: readonly string[]): (address: string) => Verdict {
  const allowed = parseNetworks(exceptions);
  return (raw) => {
    const address = canonicalAddress(raw);
    if (address === null || NEVER.has(address)) return 'blocked';
    if (allowed.has(address)) return 'allowed';
    return UNICAST.has(address) && !SPECIAL.has(address) ? 'public' : 'blocked';
  };
}
