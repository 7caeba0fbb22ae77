// How times are written for people.
import { type Html, html } from './html.ts';
import type { Words } from './words.ts';

/** A time for people, in UTC until pages know the person's zone; text that is no time is shown as it is. */
export function moment(words: Words, iso: string, precision: 'day' | 'minute'): Html {
  const time = /^\d{4}-\d\d-\d\d/.test(iso) ? new Date(iso) : new Date(Number.NaN);
  if (Number.isNaN(time.getTime())) return html`<bdi>${iso}</bdi>`;
  const format = new Intl.DateTimeFormat(words.locale, {
    dateStyle: 'medium',
    ...(precision === 'minute' ? { timeStyle: 'short' } : {}),
    timeZone: 'UTC',
  });
  const text = format.format(time);
  return html`<time datetime="${time.toISOString()}">${text}${precision === 'minute' && ' UTC'}</time>`;
}
