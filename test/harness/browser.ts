// A person's browser without a screen: keeps cookies by origin and path, follows redirects by hand, fills forms.
// What it is sent is what a real browser would be sent; Sec-Fetch-Site and Origin are set as browsers set them.
import { strict as assert } from 'node:assert';

interface Cookie {
  name: string;
  value: string;
  path: string;
  expires: number;
}

export interface Page {
  status: number;
  url: string;
  location: string | null;
  headers: Headers;
  body: string;
}

export interface Visitor {
  get(url: string, headers?: Record<string, string>): Promise<Page>;
  post(url: string, form: Record<string, string>, headers?: Record<string, string>): Promise<Page>;
  /** Follows redirects as long as they stay on this origin; answers the last page, or the redirect that leaves. */
  follow(page: Page): Promise<Page>;
  /** Fills and sends the page's form whose action matches, hidden fields included. */
  submit(
    page: Page,
    action: RegExp,
    fields: Record<string, string>,
    headers?: Record<string, string>,
  ): Promise<Page>;
  cookies(): { name: string; value: string; path: string }[];
  setCookie(name: string, value: string, path?: string): void;
  clone(): Visitor;
}

const unescaped = (text: string) =>
  text.replace(/&(?:amp|lt|gt|quot|#39|#x27|#(\d+));/g, (all, code) =>
    code
      ? String.fromCodePoint(Number(code))
      : ({ '&amp;': '&', '&lt;': '<', '&gt;': '>', '&quot;': '"', '&#39;': "'", '&#x27;': "'" }[
          all
        ] as string),
  );

const attribute = (tag: string, name: string): string | null => {
  const match = new RegExp(`\\b${name}="([^"]*)"`).exec(tag);
  return match ? unescaped(match[1] as string) : null;
};

/** The forms of a page: action and the fields that are filled already. */
export function formsOf(body: string): { action: string; fields: Record<string, string> }[] {
  return [...body.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/g)].map(([, attributes = '', content = '']) => {
    const fields: Record<string, string> = {};
    for (const [tag] of content.matchAll(/<input\b[^>]*>/g)) {
      const name = attribute(tag, 'name');
      if (name && !/type="(submit|checkbox|radio)"/.test(tag)) fields[name] = attribute(tag, 'value') ?? '';
    }
    return { action: attribute(attributes, 'action') ?? '', fields };
  });
}

/** `base`: where the server listens, which is also the issuer unless `host` says otherwise. */
export function visitor(base: string, extra: Record<string, string> = {}, jar: Cookie[] = []): Visitor {
  const origin = new URL(base).origin;

  const cookieHeader = (path: string) =>
    jar
      .filter(
        (cookie) =>
          cookie.expires > Date.now() &&
          (path === cookie.path || path.startsWith(cookie.path.replace(/\/?$/, '/'))),
      )
      .map(({ name, value }) => `${name}=${value}`)
      .join('; ');

  function keep(response: Response): void {
    for (const line of response.headers.getSetCookie()) {
      const [pair = '', ...attributes] = line.split(';').map((part) => part.trim());
      const at = pair.indexOf('=');
      const cookie: Cookie = {
        name: pair.slice(0, at),
        value: pair.slice(at + 1),
        path: '/',
        expires: Number.POSITIVE_INFINITY,
      };
      for (const one of attributes) {
        const [key = '', value = ''] = one.split('=');
        if (/^path$/i.test(key)) cookie.path = value;
        if (/^expires$/i.test(key)) cookie.expires = Date.parse(value);
        if (/^max-age$/i.test(key)) cookie.expires = Date.now() + Number(value) * 1000;
      }
      const old = jar.findIndex((one) => one.name === cookie.name && one.path === cookie.path);
      if (old >= 0) jar.splice(old, 1);
      if (cookie.expires > Date.now()) jar.push(cookie);
    }
  }

  async function send(url: string, init: RequestInit & { headers: Record<string, string> }): Promise<Page> {
    const target = new URL(url, base);
    assert.equal(target.origin, origin, 'a visitor stays on one origin');
    const cookie = cookieHeader(target.pathname);
    const response = await fetch(target, {
      ...init,
      redirect: 'manual',
      headers: { accept: 'text/html,*/*;q=0.8', ...(cookie ? { cookie } : {}), ...extra, ...init.headers },
    });
    keep(response);
    return {
      status: response.status,
      url: target.href,
      location: response.headers.get('location'),
      headers: response.headers,
      body: await response.text(),
    };
  }

  const me: Visitor = {
    get: (url, headers = {}) => send(url, { method: 'GET', headers }),
    post: (url, form, headers = {}) =>
      send(url, {
        method: 'POST',
        body: new URLSearchParams(form).toString(),
        headers: {
          'content-type': 'application/x-www-form-urlencoded',
          origin,
          'sec-fetch-site': 'same-origin',
          ...headers,
        },
      }),
    async follow(page) {
      let at = page;
      for (let hops = 0; at.location !== null && hops < 20; hops++) {
        const next = new URL(at.location, at.url);
        if (next.origin !== origin) return at;
        at = await me.get(next.href);
      }
      return at;
    },
    submit(page, action, fields, headers = {}) {
      const form = formsOf(page.body).find((one) => action.test(one.action));
      assert.ok(form, `no form to ${action} on ${page.url}: ${page.status} ${page.body.slice(0, 300)}`);
      return me.post(new URL(form.action, page.url).href, { ...form.fields, ...fields }, headers);
    },
    cookies: () => jar.map(({ name, value, path }) => ({ name, value, path })),
    setCookie(name, value, path = '/') {
      const old = jar.findIndex((one) => one.name === name && one.path === path);
      if (old >= 0) jar.splice(old, 1);
      jar.push({ name, value, path, expires: Number.POSITIVE_INFINITY });
    },
    clone: () =>
      visitor(
        base,
        extra,
        jar.map((cookie) => ({ ...cookie })),
      ),
  };
  return me;
}
