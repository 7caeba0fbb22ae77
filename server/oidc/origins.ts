// Which sites' scripts may read what the protocol answers (R30, ATK-A062). Of an app it knows, the library asks whether
// the app has named the origin. To a preflight, and where the app is not known, it lets every origin in: here only those
// that some app has named.
import type { KoaContextWithOIDC } from 'oidc-provider';
import { isAllowedOrigin } from '../clients/clients.ts';
import type { Op } from '../lib/op.ts';

function forget(ctx: KoaContextWithOIDC): void {
  for (const name of Object.keys(ctx.response.headers)) {
    if (name.toLowerCase().startsWith('access-control-')) ctx.remove(name);
  }
}

/** Null: nobody can be asked, and then no origin is let in. */
export async function letInOrigin(ctx: KoaContextWithOIDC, op: Op | null): Promise<void> {
  const origin = ctx.get('Origin');
  if (origin === '' || ctx.oidc?.client || ctx.response.get('Access-Control-Allow-Origin') !== origin) return;
  if (!op || !(await isAllowedOrigin(op, origin))) forget(ctx);
}
