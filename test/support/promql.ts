import { parser } from '@prometheus-io/lezer-promql';

type SyntaxNode = ReturnType<typeof parser.parse>['topNode'];

/** One use of a metric in an expression. */
export interface MetricUse {
  readonly name: string;
  /** The value without its quotes. */
  readonly matchers: readonly { readonly label: string; readonly value: string }[];
}

export interface PromqlExpression {
  readonly metrics: readonly MetricUse[];
  /** Of `by`, `without`, `on`, `ignoring` and `group_left`. */
  readonly grouping: readonly string[];
}

/** Reads an expression by Prometheus' own grammar. Throws a SyntaxError for what is none. */
export function parsePromql(text: string): PromqlExpression {
  const metrics: MetricUse[] = [];
  const grouping: string[] = [];
  parser.parse(text).iterate({
    enter: ({ type, from, node }) => {
      if (type.isError) throw new SyntaxError(`no PromQL at ${from}: ${text}`);
      if (type.name === 'VectorSelector') metrics.push(useOf(node, text));
      if (type.name === 'GroupingLabels') {
        grouping.push(...node.getChildren('LabelName').map((label) => textOf(label, text)));
      }
    },
  });
  return { metrics, grouping };
}

function useOf(selector: SyntaxNode, text: string): MetricUse {
  const matchers = selector.getChild('LabelMatchers')?.getChildren('UnquotedLabelMatcher') ?? [];
  return {
    name: textOf(selector.getChild('Identifier'), text),
    matchers: matchers.map((matcher) => ({
      label: textOf(matcher.getChild('LabelName'), text),
      value: textOf(matcher.getChild('StringLiteral'), text).slice(1, -1),
    })),
  };
}

function textOf(node: SyntaxNode | null, text: string): string {
  return node === null ? '' : text.slice(node.from, node.to);
}
