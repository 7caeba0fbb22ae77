// HTML as a tagged template. A value stays where the template put it: escaped as text or inside a double-quoted
// attribute; only `Html` made here passes as markup, and only `attributes()` may add attributes. A template with a
// value in any other place (a script, a comment, an unquoted attribute, an event handler, `style`) is refused when it is
// first rendered, and addresses lead to the web or to this site only. Stops ATK-A198 and ATK-A020. ASVS 1.2.1, 1.3.7.

/** Markup that is safe to send. `toString()` gives the text; nothing parsed from outside can pretend to be one. */
export class Html {
  readonly #text: string;
  readonly #kind: 'markup' | 'attributes';

  /** Only for this file: the text must be escaped already. */
  constructor(text: string, kind: 'markup' | 'attributes') {
    this.#text = text;
    this.#kind = kind;
  }

  static is(value: unknown, kind: 'markup' | 'attributes'): value is Html {
    return typeof value === 'object' && value !== null && #kind in value && value.#kind === kind;
  }

  toString(): string {
    return this.#text;
  }
}

export type Value = string | number | Html | null | undefined | false | readonly Value[];
type Place = 'text' | 'attributes' | 'value' | 'address';

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
const ADDRESS_ATTRIBUTES = new Set([
  'href',
  'src',
  'action',
  'formaction',
  'cite',
  'poster',
  'data',
  'srcset',
]);
const FORBIDDEN_ATTRIBUTE = /^(on.*|style|srcdoc)$/i;

const escaped = (text: string): string => text.replace(/[&<>"']/g, (c) => ENTITIES[c] ?? c);

/** The address if a link may lead there: http(s), mailto, or a path, query or fragment of this site. Otherwise null. */
export function safeAddress(address: string): string | null {
  // Browsers drop tabs and newlines inside an address and read \ as /, which would turn a path into another site.
  const plain = !/[\\\p{Cc}\s]/u.test(address);
  return plain && /^(https?:\/\/[^/]|mailto:|\/(?!\/)|[#?])/i.test(address) ? address : null;
}

const addressText = (address: string): string => escaped(safeAddress(address) ?? 'about:blank');

const known = new WeakMap<TemplateStringsArray, readonly Place[]>();
const TOKEN = /<!--|<[!/]?[a-z][a-z0-9]*|[a-z-]+="|[>"'=]|./gisu;

/** Where each value of a template stands; throws a TypeError where a value could not be kept in its place. */
function placesOf(strings: TemplateStringsArray): readonly Place[] {
  const found = known.get(strings);
  if (found) return found;
  const places: Place[] = [];
  let state: 'text' | 'tag' | 'value' | 'raw' = 'text';
  let tag = '';
  let attribute = '';
  const refuse = (why: string): never => {
    throw new TypeError(`html template: ${why} in ${strings.join('…').slice(0, 200)}`);
  };
  for (const [i, part] of strings.entries()) {
    for (const [token] of part.matchAll(TOKEN)) {
      if (token === '<!--') refuse('a comment');
      if (state === 'raw' ? token.toLowerCase() === `</${tag}` : state === 'text' && /^<./.test(token)) {
        tag = token.slice(1).toLowerCase();
        state = 'tag';
      } else if (state === 'tag') {
        if (token === '>') state = tag === 'script' || tag === 'style' ? 'raw' : 'text';
        else if (token.endsWith('="')) {
          attribute = token.slice(0, -2).toLowerCase();
          state = 'value';
        } else if (/^["'=]$/.test(token)) refuse('an attribute without double quotes');
      } else if (state === 'value' && token.endsWith('"')) state = 'tag';
    }
    const next = strings[i + 1];
    if (next === undefined) break;
    if (state === 'raw') refuse(`a value inside <${tag}>`);
    if (state === 'text') {
      if (part.endsWith('<')) refuse('a value as the name of a tag');
      places.push('text');
    } else if (state === 'tag') {
      if (!/\s$/.test(part) || !/^[\s>]/.test(next)) refuse('a value as part of a name');
      places.push('attributes');
    } else if (FORBIDDEN_ATTRIBUTE.test(attribute)) refuse(`a value in ${attribute}`);
    else if (ADDRESS_ATTRIBUTES.has(attribute)) {
      if (!part.endsWith('="') || !next.startsWith('"')) refuse(`part of an address in ${attribute}`);
      places.push('address');
    } else places.push('value');
  }
  if (state !== 'text') refuse('an unfinished tag');
  known.set(strings, places);
  return places;
}

function render(value: Value, place: Place): string {
  if (value === null || value === undefined || value === false) return '';
  if (place === 'text') {
    if (Html.is(value, 'markup')) return value.toString();
    if (Array.isArray(value)) return value.map((one: Value) => render(one, place)).join('');
  } else if (place === 'attributes') {
    if (Html.is(value, 'attributes')) return value.toString();
    throw new TypeError('html template: only attributes() may stand between attributes');
  }
  if (typeof value === 'object') throw new TypeError('html template: this kind of value cannot stand here');
  return place === 'address' ? addressText(String(value)) : escaped(String(value));
}

export function html(strings: TemplateStringsArray, ...values: readonly Value[]): Html {
  const places = placesOf(strings);
  let text = strings[0] ?? '';
  for (const [i, value] of values.entries()) {
    text += render(value, places[i] ?? 'text') + (strings[i + 1] ?? '');
  }
  return new Html(text, 'markup');
}

/** Attributes that depend on something: `true` gives the bare name; null, undefined and false give nothing. */
export function attributes(
  some: Readonly<Record<string, string | number | boolean | null | undefined>>,
): Html {
  let text = '';
  for (const [name, value] of Object.entries(some)) {
    if (value === null || value === undefined || value === false) continue;
    if (!/^[a-z][a-z-]*$/.test(name) || FORBIDDEN_ATTRIBUTE.test(name)) {
      throw new TypeError(`html attributes: ${name} is not allowed`);
    }
    if (value === true) text += ` ${name}`;
    else text += ` ${name}="${(ADDRESS_ATTRIBUTES.has(name) ? addressText : escaped)(String(value))}"`;
  }
  return new Html(text.trimStart(), 'attributes');
}
