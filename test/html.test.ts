import fc from 'fast-check';
import t from 'tap';
import { attributes, Html, html, safeAddress, type Value } from '../views/html.ts';

/** Tags with the names of their attributes, in order: what a browser would make of the markup, without the texts. */
const skeleton = (markup: string): string[] =>
  [...markup.matchAll(/<(\/?[a-z][a-z0-9]*)((?:\s+[a-z-]+(?:="[^"]*")?)*)\s*>/gi)].map(
    ([, tag, list]) =>
      `${tag} ${[...(list ?? '').matchAll(/\s([a-z-]+)(?:="[^"]*")?/gi)].map(([, name]) => name).join(' ')}`,
  );

/** The text a browser reads out of escaped text. */
const read = (markup: string): string =>
  markup
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&');

const fragments =
  '<script>|</script>|<img src=x onerror=alert(1)>|"|\'|>|<|&|&lt;|-->|<!--|{{7*7}}| on=|javascript:|\u0000|\u202e|]]>|`|</title>|\n|/|\\'.split(
    '|',
  );
const hostile = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc
    .array(fc.oneof(fc.constantFrom(...fragments), fc.string({ maxLength: 5 })), { maxLength: 12 })
    .map((parts) => parts.join('')),
);

t.test('ATK-A198: no text leaves the place a template put it in', async (t) => {
  const page = (a: string, b: string, c: string): string =>
    String(
      html`<p title="${a}" class="x ${b}">${c}<b ${attributes({ 'aria-label': b, lang: a, hidden: true })}>${[a, [html`<i>${b}</i>`]]}</b></p><title>${a}</title>`,
    );
  const expected = skeleton(page('a', 'b', 'c'));
  t.equal(expected.length, 8);
  fc.assert(
    fc.property(hostile, hostile, hostile, (a, b, c) => {
      const markup = page(a, b, c);
      const [, title, text] = /^<p title="([^"]*)" class="[^"]*">([^<]*)</.exec(markup) ?? [];
      return (
        markup.match(/</g)?.length === expected.length &&
        skeleton(markup).join() === expected.join() &&
        read(title ?? '') === a &&
        read(text ?? '') === c
      );
    }),
    { numRuns: 1000 },
  );
});

t.test('ATK-A198: an address never leads to a script, to data or to an unintended site', async (t) => {
  const allowed = [
    '/',
    '/a?b=c#d',
    '#x',
    '?x=1',
    'https://example.com/a',
    'HTTP://localhost:3000',
    'mailto:a@example.com',
  ];
  for (const address of allowed) t.equal(safeAddress(address), address, address);
  const refused = [
    '',
    'javascript:alert(1)',
    'JaVaScRiPt:alert(1)',
    ' javascript:alert(1)',
    'java\nscript:alert(1)',
    '\u0001javascript:alert(1)',
    'data:text/html,x',
    'vbscript:x',
    'blob:x',
    'file:///etc/passwd',
    '//evil.example',
    '/\\evil.example',
    '/\t/evil.example',
    'https:///evil.example',
    'https:evil.example',
    'relative/path',
  ];
  for (const address of refused) {
    t.equal(safeAddress(address), null, JSON.stringify(address));
    t.equal(String(html`<a href="${address}">x</a>`), '<a href="about:blank">x</a>');
    t.equal(String(attributes({ href: address })), 'href="about:blank"');
  }
  const base = 'https://id.example.com';
  const near = fc.oneof(
    hostile,
    hostile.map((text) => `/${text}`),
    hostile.map((text) => `java${text}script:x`),
    hostile.map((text) => `${text}://x`),
  );
  fc.assert(
    fc.property(near, (address) => {
      if (safeAddress(address) === null || !URL.canParse(address, base)) return true;
      const { protocol, origin } = new URL(address, base);
      return /^(https?|mailto):$/.test(protocol) && (!address.startsWith('/') || origin === base);
    }),
    { numRuns: 2000 },
  );
});

t.test('ATK-A198: a template that could not keep a value in its place is refused', async (t) => {
  const x = 'x';
  const refused: Record<string, () => Html> = {
    script: () => html`<script>${x}</script>`,
    style: () => html`<style>${x}</style>`,
    comment: () => html`<!-- ${x} -->`,
    unquoted: () => html`<p class=${x}></p>`,
    'single quotes': () => html`<p class='${x}'></p>`,
    'event handler': () => html`<p onclick="${x}"></p>`,
    'style attribute': () => html`<p style="${x}"></p>`,
    srcdoc: () => html`<iframe srcdoc="${x}"></iframe>`,
    'name of a tag': () => html`<${x}>`,
    'part of the name of a tag': () => html`<h${x}>`,
    'part of the name of an attribute': () => html`<p data-${x}="1"></p>`,
    'text between attributes': () => html`<p ${x}></p>`,
    'markup between attributes': () => html`<p ${html`<b></b>`}></p>`,
    'markup in an attribute': () => html`<p title="${html`<b></b>`}"></p>`,
    'attributes in text': () => html`<p>${attributes({ id: 'x' })}</p>`,
    'the end of an address': () => html`<a href="/a/${x}"></a>`,
    'the start of an address': () => html`<a href="${x}/a"></a>`,
    'an unfinished tag': () => html`<p title="${x}"`,
    'an unfinished attribute': () => html`<p title="${x}`,
    'event handler by name': () => attributes({ onclick: x }),
    'style by name': () => attributes({ style: x }),
    'two names in one': () => attributes({ 'a onclick': x }),
  };
  for (const [what, render] of Object.entries(refused)) t.throws(render, TypeError, what);
});

t.test('ATK-A198: only what was made here passes as markup', async (t) => {
  const forged: unknown[] = [
    { toString: () => '<b>forged</b>' },
    JSON.parse('{"text":"<b>","kind":"markup"}'),
    Object.create(Html.prototype),
  ];
  for (const value of forged) t.throws(() => html`<p>${value as Value}</p>`, TypeError);
  t.equal(String(html`<p>${html`<b>${'<'}</b>`}</p>`), '<p><b>&lt;</b></p>');
  t.equal(String(html`<p>${null}${undefined}${false}${0}${''}</p>`), '<p>0</p>');
  t.equal(
    String(html`<p ${attributes({ id: 'a', hidden: false, open: true, title: null, 'data-n': 3 })}></p>`),
    '<p id="a" open data-n="3"></p>',
  );
});
