import { Injectable } from '@nestjs/common';

interface Route {
  readonly path: RegExp;
  readonly methods: Set<string>;
}

/** Which methods a path has, for 405: the router itself answers 404. */
@Injectable()
export class RouteTable {
  private readonly routes = new Map<string, Route>();

  /** `url` as the router takes it: `:name` is a parameter, `::` a colon. */
  add(url: string, methods: readonly string[]): void {
    // A wildcard is a fallback, not a resource.
    if (url.includes('*')) return;
    const route = this.routes.get(url) ?? { path: patternOf(url), methods: new Set<string>() };
    this.routes.set(url, route);
    for (const method of methods) route.methods.add(method);
  }

  /** Of all paths together. */
  allMethods(): readonly string[] {
    const methods = [...this.routes.values()].flatMap((route) => [...route.methods]);
    return [...new Set(methods)].toSorted();
  }

  /** Empty when no route has this path. */
  methodsOf(url: string): readonly string[] {
    const [path = ''] = url.split('?', 1);
    const methods = [...this.routes.values()]
      .filter((route) => route.path.test(path))
      .flatMap((route) => [...route.methods]);
    return [...new Set(methods)].toSorted();
  }
}

function patternOf(url: string): RegExp {
  const escaped = url.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
  const pattern = escaped.replace(/::|:[^/]+/g, (part) => (part === '::' ? ':' : '[^/]+'));
  return new RegExp(`^${pattern}$`);
}
