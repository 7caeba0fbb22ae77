// The files of the pages, read once at start. Their addresses contain a hash of their content, so they may be
// cached for ever and a new version is a new address.

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { extname } from 'node:path';

export interface Asset {
  body: Buffer;
  /** The Content-Type header. */
  type: string;
}

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

const folder = new URL('./assets/', import.meta.url);
const byAddress = new Map<string, Asset>();
const addresses = new Map<string, string>();

for (const name of readdirSync(folder)) {
  const extension = extname(name);
  const type = TYPES[extension];
  if (!type) continue;
  const body = readFileSync(new URL(name, folder));
  const hash = createHash('sha256').update(body).digest('hex').slice(0, 12);
  const address = `/assets/${name.slice(0, -extension.length)}-${hash}${extension}`;
  byAddress.set(address, { body, type });
  addresses.set(name, address);
}

/** Path of the address (`/assets/gatehouse-<hash>.css`) to the file. */
export const assets: ReadonlyMap<string, Asset> = byAddress;

/** The address of a file in `views/assets/`; throws when there is none of that name. */
export function assetUrl(name: string): string {
  const address = addresses.get(name);
  if (!address) throw new Error(`There is no asset ${name}.`);
  return address;
}
