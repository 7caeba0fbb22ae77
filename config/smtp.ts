// What SMTP_URL and MAIL_FROM say, read in one place: for the check of the settings and for who connects.

export interface SmtpPlace {
  host: string;
  port: number;
  /** TLS from the first byte; else STARTTLS. */
  implicitTls: boolean;
  /** This machine's own server: what is sent there is not seen by anybody else. */
  local: boolean;
  user: string | null;
  password: string | null;
}

const LOCAL = /^(localhost|127\.0\.0\.1|::1)$/;

/** Throws Error with what is wrong; never repeats a part of the URL. */
export function readSmtpUrl(url: string): SmtpPlace {
  if (!URL.canParse(url))
    throw new Error('cannot be read: a special character in user or password must be percent-encoded');
  const { protocol, hostname, port, username, password, pathname, search, hash } = new URL(url);
  if (hostname === '') throw new Error('names no host');
  if (!/^\/?$/.test(pathname) || search !== '' || hash !== '')
    throw new Error('must end with the host or port');
  let credentials: string[];
  try {
    credentials = [hostname, username, password].map(decodeURIComponent);
  } catch {
    throw new Error('has a % that begins no percent-encoded character');
  }
  const [host = '', user = '', secret = ''] = credentials;
  if (/[\p{C}\s]/u.test(host) || /\p{Cc}/u.test(user + secret))
    throw new Error('contains a control character');
  if ((user === '') !== (secret === '')) throw new Error('needs both a user and a password, or neither');
  const bare = host.replace(/^\[|\]$/g, '').toLowerCase();
  const implicitTls = protocol === 'smtps:';
  return {
    host: bare,
    port: port === '' ? (implicitTls ? 465 : 587) : Number(port),
    implicitTls,
    local: LOCAL.test(bare),
    user: user || null,
    password: secret || null,
  };
}

/** `Name <address>` or an address, in the form that the setting takes. */
export function readSender(from: string): { name: string; address: string } {
  const [, name = '', address = from] = /^(.*?)\s*<([^<>]*)>$/.exec(from.trim()) ?? [];
  return { name, address: address.trim() };
}
