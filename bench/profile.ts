// The functions of ours that a row spends its time in, by node's own profiler.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from './databases.ts';
import { hire } from './operations.ts';
import { type Machine, number, table } from './report.ts';
import { startOurs } from './servers.ts';

interface CpuProfile {
  nodes: { id: number; callFrame: { functionName: string; url: string; lineNumber: number } }[];
  samples: number[];
  timeDeltas: number[];
}

const SHOWN = 40;

/** Milliseconds by function, the busiest first. */
function busiest({ nodes, samples, timeDeltas }: CpuProfile): [string, number][] {
  const byId = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  const times = new Map<string, number>();
  samples.forEach((id, at) => {
    const frame = byId.get(id);
    if (!frame || frame.functionName === '(idle)') return;
    const place = frame.url.replace(/^.*\/(node_modules\/|(?=(server|drizzle|config|views)\/))/, '');
    const name = `${frame.functionName || '(anonymous)'} ${place}${place ? `:${frame.lineNumber + 1}` : ''}`;
    times.set(name, (times.get(name) ?? 0) + (timeDeltas[at] ?? 0) / 1000);
  });
  return [...times].sort((a, b) => b[1] - a[1]);
}

export async function profile(
  { databases, processor, stops }: Machine,
  { rows, seconds }: { rows: readonly string[]; seconds: number },
): Promise<void> {
  for (const row of rows) {
    const folder = temporaryFolder();
    stops.push(async () => folder.remove());
    const target = await startOurs(databases, {
      name: `profile_${row}`,
      processor,
      flags: ['--cpu-prof', `--cpu-prof-dir=${folder.path}`],
    });
    stops.push(() => target.stop());
    const crew = await hire(target, databases.postmaster);
    const { operations, rate } = await crew.run(row, seconds);
    crew.close();
    await target.stop();
    const [file = ''] = readdirSync(folder.path).filter((name) => name.endsWith('.cpuprofile'));
    const times = busiest(JSON.parse(readFileSync(join(folder.path, file), 'utf8')) as CpuProfile);
    const all = times.reduce((sum, [, time]) => sum + time, 0);
    console.log(
      `\n${row}: ${number(rate)}/s while profiled, ${operations} operations; the start is in there, too\n`,
    );
    console.log(
      table(
        ['share', 'ms', 'function'],
        times
          .slice(0, SHOWN)
          .map(([name, time]) => [`${((time / all) * 100).toFixed(1)} %`, number(time), name]),
      ),
    );
  }
}
