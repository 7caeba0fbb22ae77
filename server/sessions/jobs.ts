// Sessions that nobody uses any more are dead at the next read; their apps learn of it here.
import type { Jobs } from '../jobs/jobs.ts';
import { expire } from './sessions.ts';

export function sessionJobs(
  jobs: Jobs,
  { expireEvery, maxAge }: { expireEvery: number; maxAge: number },
): void {
  jobs.every('sessions.expire', expireEvery, (op) => expire(op, maxAge));
}
