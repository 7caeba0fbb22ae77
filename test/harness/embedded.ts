// A process that holds an embedded PostgreSQL until its input ends, for tests that kill such processes.
// Run with data folder and role; prints one line of JSON: what it opened, or what it was refused with.
import { openEmbedded } from '../../drizzle/embedded.ts';

const [dataDir = '', role = ''] = process.argv.slice(2);
if (role !== 'server' && role !== 'command') throw new Error(`no such role: ${role}`);

try {
  const embedded = await openEmbedded({ dataDir, role, log: (line) => console.error(line) });
  const { startedByUs, owner, app, superuser, version } = embedded;
  console.log(JSON.stringify({ startedByUs, owner, app, superuser, version }));
  process.stdin.resume().on('end', () => embedded.stop());
} catch (error) {
  console.log(JSON.stringify({ refused: (error as Error).message, name: (error as Error).name }));
  process.exitCode = 1;
}
