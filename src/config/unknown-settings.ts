/** First words of settings that nothing but Penstock uses: a variable that begins so is meant for us. */
const OUR_FIRST_WORDS = [
  'ACKNOWLEDGMENT_',
  'ADMIN_',
  'BUFFER_MEMORY_',
  'DATABASE_',
  'EGRESS_',
  'FINAL_SINK_',
  'GATEWAY_',
  'INGEST_',
  'INGRESS_',
  'JOURNAL_',
  'KAFKA_',
  'KEYGEN_',
  'MAX_',
  'PIPELINE_',
  'SHUTDOWN_',
  'SINK_',
  'TENANTS_',
];

/** More differences than this, and a known name is no likely meaning. */
const LARGEST_TYPO = 3;

/** Without one of our first words, only a long name that is nearly one of ours is taken for a typo. */
const LARGEST_TYPO_ELSEWHERE = 2;
const SHORTEST_NAME_ELSEWHERE = 8;

/** A sentence for each variable that looks like a setting and is none, with the setting it may mean. */
export function unknownSettings(given: readonly string[], known: readonly string[]): string[] {
  const knownSet = new Set(known);
  return given.flatMap((name) => {
    if (knownSet.has(name)) return [];
    const [nearest, differences] = nearestName(name, known);
    const isOurs = OUR_FIRST_WORDS.some((word) => name.startsWith(word));
    if (
      !isOurs &&
      (differences > LARGEST_TYPO_ELSEWHERE || name.length < SHORTEST_NAME_ELSEWHERE)
    ) {
      return [];
    }
    const question = differences <= LARGEST_TYPO ? ` Did you mean ${nearest}?` : '';
    return [`${name} is not a setting and is ignored.${question}`];
  });
}

function nearestName(
  name: string,
  known: readonly string[],
): [nearest: string, differences: number] {
  let nearest = '';
  let least = Infinity;
  for (const candidate of known) {
    const differences = editDistance(name, candidate);
    if (differences < least) [nearest, least] = [candidate, differences];
  }
  return [nearest, least];
}

/** Letters to insert, delete or replace to turn one name into the other (Levenshtein). */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let i = 1; i <= from.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= to.length; j += 1) {
      const replaced = row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[to.length]!;
}
