// Folders for tests, and the one place where tests delete recursively. It takes no path: only a folder that
// mkdtemp made in this process is ever removed, whatever became of the variables of a failing test.
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';

/** A new folder in the temporary folder, removed with everything in it when `t` ends. Absolute, without links. */
export function temporaryFolder(t: Test): string {
  const made = realpathSync(mkdtempSync(join(tmpdir(), 'gh-test-')));
  t.teardown(() => rmSync(made, { recursive: true, force: true }));
  return made;
}
