// What one password hash costs in each argon2 implementation that loads here: `node bench/hashing.ts [rounds]`.
// Paired: every round measures each of them in turn, and the order changes with the round, so that what else the
// machine does meets both. Processor time counts all threads; the median over the rounds is printed.
import { availableParallelism } from 'node:os';
import { options } from '../config/options.ts';
import { type Argon2, implementations, loadArgon2 } from '../server/passwords/argon2.ts';

const rounds = Number(process.argv[2] ?? 7);
const HASHES = 12;
const parameters = {
  memory: options.passwords.hashMemory.default,
  passes: options.passwords.hashPasses.default,
  lanes: options.passwords.hashParallelism.default,
};

interface Sample {
  processor: number;
  alone: number;
  perSecond: number;
  blocked: number;
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

async function measure(argon2: Argon2): Promise<Sample> {
  const phc = await argon2.hash('correct horse battery staple', parameters);
  const verify = () => argon2.verify(phc, 'correct horse battery staple');

  const processorBefore = process.cpuUsage();
  const aloneBefore = performance.now();
  for (let at = 0; at < HASHES; at++) await verify();
  const alone = (performance.now() - aloneBefore) / HASHES;
  const { user, system } = process.cpuUsage(processorBefore);

  let longest = 0;
  let last = performance.now();
  const tick = setInterval(() => {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  }, 1);
  const togetherBefore = performance.now();
  let left = HASHES * 2;
  const lane = async () => {
    while (left-- > 0) await verify();
  };
  await Promise.all(Array.from({ length: availableParallelism() }, lane));
  const together = performance.now() - togetherBefore;
  clearInterval(tick);

  return {
    processor: (user + system) / 1000 / HASHES,
    alone,
    perSecond: (HASHES * 2 * 1000) / together,
    blocked: longest,
  };
}

const candidates: Argon2[] = [];
for (const name of implementations) {
  try {
    candidates.push(loadArgon2(name));
  } catch (error) {
    console.log(`${name} does not load here: ${(error as Error).message.split('\n')[0]}`);
  }
}

const samples = new Map(candidates.map((argon2) => [argon2.implementation, [] as Sample[]]));
for (let round = 0; round < rounds; round++) {
  for (const argon2 of round % 2 ? candidates.toReversed() : candidates) {
    samples.get(argon2.implementation)?.push(await measure(argon2));
  }
}

console.log(
  `argon2id m=${parameters.memory} t=${parameters.passes} p=${parameters.lanes}, ${rounds} rounds, medians, ${availableParallelism()} processors`,
);
console.table(
  Object.fromEntries(
    [...samples].map(([name, all]) => [
      name,
      {
        'processor ms per hash': median(all.map((one) => one.processor)).toFixed(1),
        'ms alone': median(all.map((one) => one.alone)).toFixed(1),
        'hashes/s on all': median(all.map((one) => one.perSecond)).toFixed(0),
        'longest event loop gap, ms': median(all.map((one) => one.blocked)).toFixed(1),
      },
    ]),
  ),
);
console.log(`The server uses ${loadArgon2().implementation}.`);
