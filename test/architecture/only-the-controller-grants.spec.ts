import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import ts from 'typescript';

const ROOT = join(__dirname, '../..');
const PRODUCT = ['src', 'pipelines', 'migrations', 'libs/kafka', 'libs/client'];
const POOL_METHODS = new Set([
  'request',
  'requestCount',
  'acquire',
  'grantable',
  'replenish',
  'resize',
  'stalled',
  'close',
]);

const files = PRODUCT.flatMap((folder) => sourcesOf(join(ROOT, folder)));

function sourcesOf(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && !name.endsWith('.spec.ts'))
      .map((name) => join(folder, name));
  } catch (error) {
    // A folder of the list may not exist yet; anything else is a fault of this test.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** Every node of a source file for which `isOffence` says why. */
function offences(source: ts.SourceFile, whyOf: (node: ts.Node) => string | undefined): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    const why = whyOf(node);
    if (why !== undefined) {
      const { line } = source.getLineAndCharacterOfPosition(node.getStart(source));
      found.push(`${relative(ROOT, source.fileName)}:${line + 1} ${why}`);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

function parse(file: string, text = readFileSync(file, 'utf8')): ts.SourceFile {
  return ts.createSourceFile(file, text, ts.ScriptTarget.ES2023, true);
}

/** The name of the class is enough: nobody outside can hold a pool without it. */
function whyPool(node: ts.Node): string | undefined {
  const isName = ts.isIdentifier(node) && node.text === 'CreditPool';
  return isName ? 'names CreditPool' : undefined;
}

/** `pool.request(…)`, `this.sinkPool.acquire(…)`: a call of a pool by whatever owns the word. */
function whyCall(node: ts.Node): string | undefined {
  if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression))
    return undefined;
  const { name, expression } = node.expression;
  if (!POOL_METHODS.has(name.text)) return undefined;
  const owner = ts.isPropertyAccessExpression(expression) ? expression.name : expression;
  const isPool = ts.isIdentifier(owner) && /credit.*pool$|^credits$/i.test(owner.text);
  return isPool ? `calls ${owner.text}.${name.text}` : undefined;
}

describe('only the controller grants credits (flaw 27)', () => {
  it('looks at the product', () => {
    expect(files.length).toBeGreaterThan(10);
  });

  it('keeps CreditPool inside the libraries of flow control', () => {
    expect(files.flatMap((file) => offences(parse(file), whyPool))).toEqual([]);
  });

  it('lets nobody outside call a pool', () => {
    expect(files.flatMap((file) => offences(parse(file), whyCall))).toEqual([]);
  });

  it('would see both', () => {
    const text =
      "import { CreditPool } from '#libs/flow-control';\n" +
      "const creditPool = new CreditPool({ name: 'own' });\n" +
      'creditPool.request(1);\nthis.sinkCreditPool.acquire(1);\nhttp.request(1);\n';
    const source = parse(join(ROOT, 'src/offender.ts'), text);
    expect(offences(source, whyPool)).toEqual([
      'src/offender.ts:1 names CreditPool',
      'src/offender.ts:2 names CreditPool',
    ]);
    expect(offences(source, whyCall)).toEqual([
      'src/offender.ts:3 calls creditPool.request',
      'src/offender.ts:4 calls sinkCreditPool.acquire',
    ]);
  });
});
