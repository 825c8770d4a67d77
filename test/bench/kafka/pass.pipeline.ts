import { definePipeline } from '../../../src/pipeline/definition.js';

/** The same work as the loops beside it: JSON is read, a key is taken from it, the bytes go on as they came. */
export default definePipeline<{ customerId: string }>({
  name: 'pass',
  key: ({ customerId }) => customerId,
});
