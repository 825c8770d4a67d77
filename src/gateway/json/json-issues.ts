import type { ValidationIssue } from '../../pipeline/record.js';
import { isSafeNumber } from './json-number.js';
import { MAX_NESTING } from './json-scan.js';
import { UNSAFE_NUMBER } from '../request-error.js';

const ZERO_CHARACTER = 'must not hold the character U+0000';
const LONE_SURROGATE = 'must not hold half of a surrogate pair';
const TOO_DEEP = `must not be nested deeper than ${MAX_NESTING} levels`;

/** Issues that are listed of one member or element of the body; more would only repeat them. */
const MAX_ISSUES_LISTED = 10;

const TOKEN = /[{}[\],:]|"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null/gs;
/** With the flag `u` a pair is one character, so only halves match. */
const HALF_OF_A_PAIR = /\p{Surrogate}/u;

interface ArrayFrame {
  readonly kind: 'array';
  readonly pointer: string;
  index: number;
}
interface ObjectFrame {
  readonly kind: 'object';
  readonly pointer: string;
  readonly seen: Set<string>;
  /** Pointer of the member whose value comes; undefined while a name comes. */
  member: string | undefined;
}
type Frame = ArrayFrame | ObjectFrame;

/**
 * Finds everything in a JSON text that we refuse, with its place (JSON pointer, RFC 6901). Slow: only for texts that the
 * scan did not clear. `text` must be JSON. Of a name that occurs twice the last value counts, as for the parser.
 */
export function jsonIssues(text: string): ValidationIssue[] {
  const frames: Frame[] = [];
  let issues: ValidationIssue[] = [];
  const report = (path: string, message: string): void => {
    if (!isListedEnough(issues, path)) issues.push({ path, message });
  };
  for (const [token] of text.matchAll(TOKEN)) {
    const frame = frames.at(-1);
    if (token === ',' && frame?.kind === 'array') frame.index += 1;
    else if (token === ',' && frame?.kind === 'object') frame.member = undefined;
    if (token === ',' || token === ':') continue;
    if (token === '}' || token === ']') {
      frames.pop();
    } else if (frame?.kind === 'object' && frame.member === undefined) {
      issues = openMember(frame, token, issues);
      reportText(frame.member ?? '', token, report);
    } else {
      const pointer = pointerOf(frame);
      if (token === '{')
        frames.push({ kind: 'object', pointer, seen: new Set(), member: undefined });
      else if (token === '[') frames.push({ kind: 'array', pointer, index: 0 });
      else if (token.startsWith('"')) reportText(pointer, token, report);
      else if (/^[-\d]/.test(token) && !isSafeNumber(token)) report(pointer, UNSAFE_NUMBER);
      // What lies deeper is not looked at: the text is refused, and its depth is the sender's choice.
      if (frames.length > MAX_NESTING) return [...issues, { path: pointer, message: TOO_DEEP }];
    }
  }
  return issues;
}

function openMember(
  frame: ObjectFrame,
  token: string,
  issues: ValidationIssue[],
): ValidationIssue[] {
  const name = JSON.parse(token) as string;
  const member = `${frame.pointer}/${escapePointer(name)}`;
  frame.member = member;
  if (!frame.seen.has(name)) {
    frame.seen.add(name);
    return issues;
  }
  return issues.filter(({ path }) => path !== member && !path.startsWith(`${member}/`));
}

function pointerOf(frame: Frame | undefined): string {
  if (frame === undefined) return '';
  return frame.kind === 'array' ? `${frame.pointer}/${frame.index}` : (frame.member ?? '');
}

function reportText(
  pointer: string,
  token: string,
  report: (path: string, message: string) => void,
): void {
  const value = JSON.parse(token) as string;
  if (value.includes('\0')) report(pointer, ZERO_CHARACTER);
  if (HALF_OF_A_PAIR.test(value)) report(pointer, LONE_SURROGATE);
}

function isListedEnough(issues: readonly ValidationIssue[], path: string): boolean {
  const tenth = issues.at(-MAX_ISSUES_LISTED);
  return (
    tenth !== undefined && issues.length >= MAX_ISSUES_LISTED && topOf(tenth.path) === topOf(path)
  );
}

/** First token of a pointer. */
export function topOf(pointer: string): string {
  const next = pointer.indexOf('/', 1);
  return next === -1 ? pointer : pointer.slice(0, next);
}

export function escapePointer(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}
