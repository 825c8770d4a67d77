import { BLOCK_BYTES, CopyBlocks } from './copy-blocks.js';

describe('CopyBlocks', () => {
  it('copies: what happens to the source afterwards changes nothing', () => {
    const source = Buffer.from('value');
    const copy = new CopyBlocks().copy(source);
    source.fill(0);
    expect(copy.toString()).toBe('value');
  });

  it('lets small neighbours share a block, and never keeps more than a block', () => {
    const blocks = new CopyBlocks();
    const copies = Array.from({ length: 100 }, (_, i) => blocks.copy(Buffer.alloc(100, i)));
    expect(new Set(copies.map((copy) => copy.buffer)).size).toBe(3);
    for (const copy of copies) expect(copy.buffer.byteLength).toBe(BLOCK_BYTES);
    expect(copies.every((copy, i) => copy.every((byte) => byte === i))).toBe(true);
  });

  it('gives a large one memory of its own, and goes on with the block', () => {
    const blocks = new CopyBlocks();
    const [before, large, after] = [10, 2000, 10].map((size) => blocks.copy(Buffer.alloc(size)));
    expect(large!.buffer.byteLength).toBe(2000);
    expect(after!.buffer).toBe(before!.buffer);
  });

  it('takes no more memory than there is to copy', () => {
    const blocks = new CopyBlocks(30);
    const [first, second] = [blocks.copy(Buffer.alloc(10)), blocks.copy(Buffer.alloc(20))];
    expect(first!.buffer.byteLength).toBe(30);
    expect(second!.buffer).toBe(first!.buffer);
  });

  it('copies nothing as nothing', () => {
    expect(new CopyBlocks().copy(Buffer.alloc(0))).toHaveLength(0);
  });
});
