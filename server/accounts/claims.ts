// An account as OIDC standard claims (Core 5.1, 5.4). A claim that is not known, or not of its type, is left out.
import type { Account } from './accounts.ts';

interface AddressClaim {
  formatted?: string;
  street_address?: string;
  locality?: string;
  region?: string;
  postal_code?: string;
  country?: string;
}

const profileTexts = [
  'given_name',
  'family_name',
  'middle_name',
  'nickname',
  'preferred_username',
  'profile',
  'picture',
  'website',
  'gender',
  'birthdate',
  'zoneinfo',
  'locale',
] as const;

export type StandardClaims = {
  sub: string;
  email?: string;
  email_verified?: boolean;
  name?: string;
  phone_number?: string;
  phone_number_verified?: boolean;
  address?: AddressClaim;
  /** Seconds since 1970. */
  updated_at?: number;
} & { [K in (typeof profileTexts)[number]]?: string };

/** Which claims a scope asks for (Core 5.4); `openid` alone asks for `sub`. */
export const claimsByScope = {
  openid: ['sub'],
  profile: ['name', ...profileTexts, 'updated_at'],
  email: ['email', 'email_verified'],
  address: ['address'],
  phone: ['phone_number', 'phone_number_verified'],
} as const satisfies Record<string, readonly (keyof StandardClaims)[]>;

const addressParts = ['formatted', 'street_address', 'locality', 'region', 'postal_code', 'country'] as const;

const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';

function addressOf(value: unknown): AddressClaim | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const parts = value as Record<string, unknown>;
  const known = addressParts.filter((part) => isText(parts[part])).map((part) => [part, parts[part]]);
  return known.length > 0 ? (Object.fromEntries(known) as AddressClaim) : undefined;
}

const TEXT_LENGTH = 1000;
const isShort = (value: unknown): boolean => isText(value) && value.length <= TEXT_LENGTH;
const isWebAddress = (value: string): boolean => /^https?:\/\//i.test(value) && URL.canParse(value);

/** What a claim must look like beside being a short text: apps make links of the first three. */
const shapes: Readonly<Record<string, (value: string) => boolean>> = {
  profile: isWebAddress,
  picture: isWebAddress,
  website: isWebAddress,
  birthdate: (value) => /^\d{4}(?:-\d\d-\d\d)?$/.test(value),
  locale: (value) => /^[A-Za-z]{2,8}(?:[-_][A-Za-z0-9]{1,8})*$/.test(value),
};

/** What is wrong with claims that are to be stored, in words; null: nothing. */
export function checkClaims(claims: unknown): string | null {
  if (typeof claims !== 'object' || claims === null || Array.isArray(claims)) return 'are no object';
  for (const [name, value] of Object.entries(claims)) {
    if (name === 'phone_number_verified') {
      if (typeof value !== 'boolean') return 'have a phone_number_verified that is neither true nor false';
    } else if (name === 'address') {
      if (!addressOf(value)) return `have an address that is no object of ${addressParts.join(', ')}`;
      const odd = Object.entries(value as object).find(
        ([part, text]) => !(addressParts as readonly string[]).includes(part) || !isShort(text),
      );
      if (odd) return `have an address with something else than ${addressParts.join(', ')} as texts`;
    } else if (name === 'phone_number' || (profileTexts as readonly string[]).includes(name)) {
      if (!isShort(value)) return `have a ${name} that is no text of 1 to ${TEXT_LENGTH} characters`;
      if (shapes[name]?.(value as string) === false) return `have a ${name} of another form`;
    } else {
      return `may hold ${[...profileTexts, 'phone_number', 'phone_number_verified', 'address'].join(', ')}, and nothing else`;
    }
  }
  return null;
}

/** What claims are made of. */
export type Described = Pick<Account, 'id' | 'email' | 'emailVerifiedAt' | 'name' | 'claims' | 'updatedAt'>;

/** Every claim the account has. */
export function allClaimsOf(account: Described): StandardClaims {
  const stored = account.claims;
  const claims: StandardClaims = {
    sub: account.id,
    email: account.email,
    email_verified: account.emailVerifiedAt !== null,
    updated_at: Math.floor(account.updatedAt.getTime() / 1000),
  };
  if (account.name !== null) claims.name = account.name;
  for (const name of profileTexts) {
    const value = stored[name];
    if (isText(value)) claims[name] = value;
  }
  if (isText(stored.phone_number)) {
    claims.phone_number = stored.phone_number;
    claims.phone_number_verified = stored.phone_number_verified === true;
  }
  const address = addressOf(stored.address);
  if (address) claims.address = address;
  return claims;
}

/** The claims the scopes ask for; `sub` always. */
export function claimsOf(account: Described, scopes: Iterable<string>): StandardClaims {
  const wanted = new Set<string>(['sub']);
  for (const scope of scopes) {
    if (Object.hasOwn(claimsByScope, scope)) {
      for (const claim of claimsByScope[scope as keyof typeof claimsByScope]) wanted.add(claim);
    }
  }
  return Object.fromEntries(
    Object.entries(allClaimsOf(account)).filter(([name]) => wanted.has(name)),
  ) as StandardClaims;
}
