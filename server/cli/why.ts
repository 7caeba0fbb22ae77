// The integration doctor: why requests of an app were refused, in its developer's words.
import { allSecretsOf, find } from '../clients/clients.ts';
import { Problem } from '../lib/problems.ts';
import { explain, lastOf, REFUSALS_KEPT } from '../refusals/refusals.ts';
import { withStore } from './open.ts';
import { facts, minute, UsageError } from './terminal.ts';

const LAST = 10;
const MOST = 200;

export const whyClient = (id: string, options: { last?: string }) =>
  withStore(async (op) => {
    const most = options.last === undefined ? LAST : Number(options.last);
    if (!Number.isInteger(most) || most < 1 || most > MOST)
      throw new UsageError(`--last is a number from 1 to ${MOST}.`);
    const client = await find(op, id);
    if (!client) throw new Problem('client.notFound');
    const secrets = await allSecretsOf(op, id);
    const refusals = (await lastOf(op, id, most)).map((refusal) => ({
      refusal,
      explained: explain(refusal, { client, secrets, now: op.now }),
    }));
    const since = new Date(Math.max(client.createdAt.getTime(), op.now.getTime() - REFUSALS_KEPT));
    const disabled =
      client.disabledAt === null ? [] : [`The app is disabled since ${minute(client.disabledAt)}.`];
    return {
      json: {
        client_id: client.id,
        disabled: client.disabledAt !== null,
        refusals: refusals.map(({ refusal, explained }) => ({
          endpoint: refusal.endpoint,
          error: refusal.error,
          ...explained,
          reason: refusal.why,
          count: refusal.count,
          first_at: refusal.firstAt,
          last_at: refusal.lastAt,
          request_id: refusal.requestId,
        })),
      },
      text: [
        ...disabled,
        ...(refusals.length === 0 ? [`No request of this app was refused since ${minute(since)}.`] : []),
        ...refusals.map(({ refusal, explained }) =>
          facts({
            [minute(refusal.lastAt)]:
              `${refusal.endpoint}: ${refusal.error}${refusal.count > 1 ? ` (${refusal.count} times since ${minute(refusal.firstAt)})` : ''}`,
            ...(explained.parameter === '' ? {} : { parameter: explained.parameter }),
            ...(explained.registered === null ? {} : { registered: explained.registered }),
            ...(explained.came === null ? {} : { came: explained.came }),
            why: explained.why,
            mend: explained.mend,
            request: refusal.requestId,
          }),
        ),
      ].join('\n\n'),
    };
  });
