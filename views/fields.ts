// The parts of forms. A label belongs to each input; an error stands beside its field, is announced, and is
// what the field is described by.

import { attributes, type Html, html, type Value } from './html.ts';
import type { Words } from './words.ts';

export interface Field {
  name: string;
  label: string;
  /** `code`: letters that are compared one by one. */
  type?: 'text' | 'email' | 'url' | 'password' | 'code';
  value?: string;
  /** A token of the HTML standard's autofill field names, or 'off'. */
  autocomplete: string;
  hint?: string | null;
  error?: string | null | undefined;
  optional?: boolean;
  autofocus?: boolean;
  /** Id of an element elsewhere on the page that describes the field as well, and marks it as invalid. */
  invalidBy?: string | null;
}

/** A form that posts, with its form token. */
export const form = (props: { action: string; csrf: string; class?: string; content: Value }): Html => html`
<form method="post" action="${props.action}" ${attributes({ class: props.class })}>
<input type="hidden" name="_csrf" value="${props.csrf}">
${props.content}
</form>`;

export function field(words: Words, props: Field): Html {
  const { name, type = 'text', error = null, hint = null, invalidBy = null } = props;
  const hintId = hint === null ? null : `${name}-hint`;
  const errorId = error === null ? null : `${name}-error`;
  const described = [errorId, invalidBy, hintId].filter((id) => id !== null).join(' ');
  const machine = type !== 'text';
  const input = html`<input ${attributes({
    id: name,
    name,
    type: type === 'code' ? 'text' : type,
    class: type === 'code' ? 'code' : null,
    value: type === 'password' ? null : (props.value ?? ''),
    autocomplete: props.autocomplete,
    autocapitalize: type === 'code' ? 'characters' : machine ? 'none' : null,
    spellcheck: machine ? 'false' : null,
    required: !props.optional,
    autofocus: props.autofocus ?? false,
    'aria-describedby': described || null,
    'aria-invalid': error !== null || invalidBy !== null ? 'true' : null,
  })}>`;
  return html`
<div class="field">
<label for="${name}">${props.label}${props.optional && html` <span class="quiet">(${words.common.optional})</span>`}</label>
${
  type === 'password'
    ? html`<div class="reveal">${input}<button type="button" hidden data-reveals="${name}" aria-label="${words.common.showPassword}" data-show="${words.common.show}" data-hide="${words.common.hide}" data-show-label="${words.common.showPassword}" data-hide-label="${words.common.hidePassword}">${words.common.show}</button></div>`
    : input
}
${hint !== null && html`<p class="hint" id="${hintId}">${hint}</p>`}
${error !== null && html`<p class="error" id="${errorId}" role="alert">${error}</p>`}
</div>`;
}

/** What is wrong with a form as a whole. */
export const formError = (text: Value, id = 'form-error'): Html =>
  html`<div class="alert" id="${id}" role="alert"><p>${text}</p></div>`;
