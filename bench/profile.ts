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

/** The room, package or part of Node a function belongs to. */
const partOf = (place: string): string =>
  /^(node_modules\/)?(@[^/]+\/[^/]+|server\/[^/]+|[^/:]+)/.exec(place)?.[2] ?? '(engine)';

/** Milliseconds by function and by part, the busiest first; of the `window` milliseconds that end `tail` before the end. */
function busiest({ nodes, samples, timeDeltas }: CpuProfile, window: number, tail: number) {
  const byId = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  const functions = new Map<string, number>();
  const parts = new Map<string, number>();
  const end = timeDeltas.reduce((sum, delta) => sum + delta, 0) / 1000 - tail;
  let now = 0;
  samples.forEach((id, at) => {
    const frame = byId.get(id);
    const took = (timeDeltas[at] ?? 0) / 1000;
    now += took;
    if (!frame || now < end - window || now > end || frame.functionName === '(idle)') return;
    const place = frame.url.replace(/^.*\/(node_modules\/|(?=(server|drizzle|config|views)\/))/, '');
    const name = `${frame.functionName || '(anonymous)'} ${place}${place ? `:${frame.lineNumber + 1}` : ''}`;
    functions.set(name, (functions.get(name) ?? 0) + took);
    parts.set(partOf(place), (parts.get(partOf(place)) ?? 0) + took);
  });
  const sorted = (times: Map<string, number>) => [...times].sort((a, b) => b[1] - a[1]).slice(0, SHOWN);
  return { functions: sorted(functions), parts: sorted(parts) };
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
    await crew.run(row, 3);
    const { operations, rate } = await crew.run(row, seconds);
    const loaded = performance.now();
    crew.close();
    await target.stop();
    const tail = performance.now() - loaded;
    const [file = ''] = readdirSync(folder.path).filter((name) => name.endsWith('.cpuprofile'));
    const recorded = JSON.parse(readFileSync(join(folder.path, file), 'utf8')) as CpuProfile;
    const { functions, parts } = busiest(recorded, seconds * 1000, tail);
    const all = parts.reduce((sum, [, time]) => sum + time, 0);
    console.log(`\n${row}: ${number(rate)} per second while profiled`);
    for (const [what, times] of [
      ['part', parts],
      ['function', functions],
    ] as const) {
      const lines = times.map(([name, time]) => [
        `${((time / all) * 100).toFixed(1)} %`,
        number((time * 1000) / operations),
        name,
      ]);
      console.log(`\n${table(['share', 'µs per operation', what], lines)}`);
    }
  }
}
