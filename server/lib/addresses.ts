// Network addresses in one written form: rules, limits, lockouts and the audit trail all compare these strings.
// Two spellings of one address (`::ffff:203.0.113.7`, upper case, leading zeros) must never count as two (CVE-2024-47070).
// Whoever gets null denies.
import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net';

/** `::ffff:0:0/96` in the compressed form the URL parser writes: `::ffff:cb00:7107`. */
const MAPPED = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/;

/** IPv4 as it is, IPv4-mapped IPv6 as IPv4, IPv6 lower-case and compressed (RFC 5952); null for all else, zones included. */
export function canonicalAddress(raw: string): string | null {
  if (isIPv4(raw)) return raw;
  // What a dual-stack socket reports for every IPv4 peer.
  if (raw.startsWith('::ffff:') && isIPv4(raw.slice(7))) return raw.slice(7);
  if (!isIPv6(raw) || raw.includes('%')) return null;
  const address = new URL(`http://[${raw}]`).hostname.slice(1, -1);
  const mapped = MAPPED.exec(address);
  if (!mapped) return address;
  const high = Number.parseInt(mapped[1] as string, 16);
  const low = Number.parseInt(mapped[2] as string, 16);
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}

/** The eight groups of a canonical IPv6 address. */
function groups(address: string): number[] {
  const [head = '', tail] = address.split('::');
  const read = (part: string) =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  const left = read(head);
  if (tail === undefined) return left;
  const right = read(tail);
  return [...left, ...new Array<number>(8 - left.length - right.length).fill(0), ...right];
}

/**
 * What one subscriber holds, for counting: the IPv4 address itself, an IPv6 address' /64 (`2001:db8:1:1::/64`).
 * Takes a canonical address.
 */
export function networkKey(address: string): string {
  if (!address.includes(':')) return address;
  const prefix = groups(address)
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(':');
  return `${canonicalAddress(`${prefix}::`)}/64`;
}

export interface Networks {
  /** Takes any written form; what cannot be parsed is in no network. */
  has(address: string): boolean;
}

/** A set of addresses and CIDR networks. Throws Error naming the entry that is neither. */
export function parseNetworks(list: readonly string[]): Networks {
  const blocks = new BlockList();
  for (const entry of list) {
    const [raw = '', length, ...rest] = entry.trim().split('/');
    const version = isIP(raw);
    const bits =
      length === undefined ? (version === 4 ? 32 : 128) : /^\d{1,3}$/.test(length) ? Number(length) : -1;
    const address = canonicalAddress(raw);
    // A mapped network (::ffff:10.0.0.0/104) is its IPv4 network.
    const mapped = version === 6 && address !== null && !address.includes(':');
    const width = mapped ? bits - 96 : bits;
    const limit = address?.includes(':') ? 128 : 32;
    if (address === null || rest.length > 0 || width < 0 || width > limit) {
      throw new Error(`"${entry}" is not an address or network such as 10.0.0.0/8 or 2001:db8::/32`);
    }
    blocks.addSubnet(address, width, limit === 128 ? 'ipv6' : 'ipv4');
  }
  if (list.length === 0) return { has: () => false };
  return {
    has(raw) {
      const address = canonicalAddress(raw);
      return address !== null && blocks.check(address, address.includes(':') ? 'ipv6' : 'ipv4');
    },
  };
}
