import type { Lot, Permit } from '#libs/flow-control';
import type { Admission } from './admission-queue.js';

/** What the interceptors hold for a request, until the handler takes it over or the request ends. */
class Grants {
  admission: Admission | undefined = undefined;
  lot: Lot | undefined = undefined;
  permit: Permit | undefined = undefined;
  // With a decorator on class and method, or one registered globally, each interceptor runs twice; a second grant would
  // replace the first, which nobody gives back.
  hasAskedCredits = false;
  hasAskedPermit = false;
}

const GRANTS = Symbol('penstock.grants');

type Request = { [GRANTS]?: Grants };

export function grantsOf(request: object): Grants {
  return ((request as Request)[GRANTS] ??= new Grants());
}

/** The admission of a request of the entry stage; still the interceptor's, who releases it at the end. */
export function admissionOf(request: object): Admission | undefined {
  return grantsOf(request).admission;
}

/** Takes the admission over: from now on the caller gives the credits back. */
export function takeAdmission(request: object): Admission | undefined {
  const grants = grantsOf(request);
  const { admission } = grants;
  grants.admission = undefined;
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
  grants.lot = undefined;
  return lot;
}

/** The permit of a request. A handler may release it before its answer; the end of the request does it otherwise. */
export function permitOf(request: object): { release(): void } {
  return { release: () => releasePermit(request) };
}

/** Idempotent. */
export function releasePermit(request: object): void {
  const grants = grantsOf(request);
  const { permit } = grants;
  grants.permit = undefined;
  permit?.release();
}
