// Every command there is. Each file declares its own and is loaded when it is asked for: the container's health
// check runs every few seconds and must not load a database driver.
import { Command } from 'commander';
import { version } from '../version.ts';

const groups: Readonly<Record<string, () => Promise<{ add(program: Command): void }>>> = {
  'setup-link': () => import('./setup-link.ts'),
  account: () => import('./account.ts'),
  import: () => import('./import.ts'),
  client: () => import('./client.ts'),
  resource: () => import('./resource.ts'),
  keys: () => import('./keys.ts'),
  secrets: () => import('./secrets.ts'),
  logout: () => import('./logout.ts'),
  mail: () => import('./mail.ts'),
  doctor: () => import('./doctor.ts'),
  migrate: () => import('./migrate.ts'),
  health: () => import('./health.ts'),
};

/** With the commands of the group `wanted`, or all of them where that is none. */
export async function createProgram(wanted = ''): Promise<Command> {
  const program = new Command('gatehouse')
    .description(
      'Looks after a Gatehouse. Commands use the database of the server they run beside; with the embedded one and no server running, they start it for as long as they need it.',
    )
    .version(version)
    .exitOverride()
    .showHelpAfterError('(add --help to see what there is)');
  const names = Object.hasOwn(groups, wanted) ? [wanted] : Object.keys(groups);
  for (const name of names) (await groups[name]?.())?.add(program);
  return program;
}
