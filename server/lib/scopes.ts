// Names of what an app may ask for.

/** Those of OpenID Connect (Core 5.4, 11). All others belong to an API. */
export const SCOPES = ['openid', 'offline_access', 'profile', 'email', 'address', 'phone'] as const;

export const isStandard = (scope: string): boolean => (SCOPES as readonly string[]).includes(scope);

/** RFC 6749 3.3, of a length that fits a page. */
export const isScope = (text: string): boolean => /^[\x21\x23-\x5b\x5d-\x7e]{1,100}$/.test(text);
