import type { Lot, Permit } from '#libs/flow-control';
import type { Admission } from './admission-queue.js';

/** What the interceptors hold for a request, until the handler takes it over or the request ends. */
interface Grants {
  admission?: Admission;
  lot?: Lot;
  permit?: Permit;
  /** Which interceptors have been here: with a decorator on class and method, or one registered globally, each runs twice. */
  readonly asked: Set<'credits' | 'permit'>;
}

const GRANTS = Symbol('penstock.grants');

type Request = { [GRANTS]?: Grants };

export function grantsOf(request: object): Grants {
  return ((request as Request)[GRANTS] ??= { asked: new Set() });
}

/** Whether it is the first time that this is asked for the request; a second grant would replace the first, which nobody gives back. */
export function isFirstAsking(request: object, what: 'credits' | 'permit'): boolean {
  const { asked } = grantsOf(request);
  if (asked.has(what)) return false;
  asked.add(what);
  return true;
}

/** The admission of a request of the entry stage; still the interceptor's, who releases it at the end. */
export function admissionOf(request: object): Admission | undefined {
  return grantsOf(request).admission;
}

/** Takes the admission over: from now on the caller gives the credits back. */
export function takeAdmission(request: object): Admission | undefined {
  const grants = grantsOf(request);
  const { admission } = grants;
  delete grants.admission;
  return admission;
}

/** The credits of a request of any other stage; still the interceptor's. */
export function lotOf(request: object): Lot | undefined {
  return grantsOf(request).lot;
}

/** Takes the credits over: from now on the caller gives them back. */
export function takeLot(request: object): Lot | undefined {
  const grants = grantsOf(request);
  const { lot } = grants;
  delete grants.lot;
  return lot;
}

/** The permit of a request. A handler may release it before its answer; the end of the request does it otherwise. */
export function permitOf(request: object): { release(): void } {
  const grants = grantsOf(request);
  return {
    release: () => {
      const { permit } = grants;
      delete grants.permit;
      permit?.release();
    },
  };
}
