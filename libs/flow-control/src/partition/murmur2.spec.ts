import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { transformSync } from '@swc/core';
import { murmur2, murmur2Key, partitionOf } from './murmur2.js';

/** Kafka's own vectors (`UtilsTest.testMurmur2`) and two checked against kafkajs; partition of 10. */
const VECTORS: readonly (readonly [key: string, hash: number, partition: number])[] = [
  ['', 275646681, 1],
  ['21', -973932308, 0],
  ['abc', 479470107, 7],
  ['foobar', -790332482, 6],
  ['a-little-bit-long-string', -985981536, 2],
  ['a-little-bit-longer-string', -1486304829, 9],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971, 7],
  ['customer-42', -542987495, 3],
];

/** The partitions that a fresh process of its own gives the vectors. */
function partitionsInAnotherProcess(): unknown {
  const source = join(__dirname, 'murmur2.ts');
  const { code } = transformSync(readFileSync(source, 'utf8'), {
    jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
    module: { type: 'commonjs' },
  });
  const keys = JSON.stringify(VECTORS.map(([key]) => key));
  const script = `${code}\nconsole.log(JSON.stringify(${keys}.map((key) => exports.partitionOf(key, 10))));`;
  return JSON.parse(
    execFileSync(process.execPath, ['--input-type=commonjs', '-e', script], { encoding: 'utf8' }),
  );
}

describe('murmur2', () => {
  it.each(VECTORS)('hashes %j as Kafka does and places it alike (N1)', (key, hash, partition) => {
    expect(murmur2(Buffer.from(key))).toBe(hash);
    expect(murmur2Key(key)).toBe(hash);
    expect(partitionOf(key, 10)).toBe(partition);
  });

  it('places a key alike in two processes (N1)', () => {
    const partitions = VECTORS.map(([key]) => partitionOf(key, 10));

    expect(partitionsInAnotherProcess()).toEqual(partitions);
  });

  it.each([
    ['an umlaut', 'müller'],
    ['an umlaut at the end', 'abcdeü'],
    ['a pair of units', 'order-😀'],
    ['a long key', 'ü'.repeat(5000)],
  ])('hashes the UTF-8 bytes, not the UTF-16 units: %s', (_, key) => {
    expect(murmur2Key(key)).toBe(murmur2(Buffer.from(key)));
  });

  it('hashes a lone surrogate as the replacement character', () => {
    expect(murmur2Key('a\ud800')).toBe(murmur2Key('a\ufffd'));
  });

  it.each([
    ['\0', 375494588],
    ['abcd\0', 1852414801],
    ['abcd\0\0\0', -1015922479],
  ])('mixes in a rest of zero bytes as kafkajs does: %j', (key, hash) => {
    expect(murmur2Key(key)).toBe(hash);
    expect(murmur2(Buffer.from(key))).toBe(hash);
  });
});
