// Who sends mails: the queue, on every replica that knows a mail server. Without one nobody takes these jobs: they wait,
// and no try is spent.
import type { Jobs } from '../jobs/jobs.ts';
import { type Mail, outgoing, purge, rescue } from './mail.ts';

/** Seconds between two looks for mails that have lost their job. */
const RESCUE = 600;

export function mailJobs(jobs: Jobs, mail: Mail, purgeEvery: number): void {
  jobs.every('mail.purge', purgeEvery, purge);
  if (!mail.ready) return;
  jobs.on(outgoing, (op, job) => mail.deliver(op, job));
  jobs.every('mail.rescue', RESCUE, rescue);
}
