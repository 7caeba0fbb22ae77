// Who sends logout tokens: the queue, on every replica.
import type { Jobs } from '../jobs/jobs.ts';
import { deliveries, type Logouts, rescue } from './logouts.ts';

/** Seconds between two looks for deliveries that have lost their job. */
const RESCUE = 1800;

export function logoutJobs(jobs: Jobs, logouts: Logouts): void {
  jobs.on(deliveries, (op, job) => logouts.deliver(op, job));
  jobs.every('logouts.rescue', RESCUE, rescue);
}
