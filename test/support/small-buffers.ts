/** Settings of a pipeline in which every stage has so many credits, and works on half as many records at a time. */
export const smallBuffers = (credits: number) => ({
  GATEWAY_BUFFER_SIZE: credits,
  GATEWAY_MAX_REQUESTS_PER_SECOND: 0,
  KEYGEN_BUFFER_SIZE: credits,
  INGRESS_BUFFER_SIZE: credits,
  INGRESS_MAX_BUFFER_SIZE: credits,
  EGRESS_BUFFER_SIZE: credits,
  EGRESS_MAX_CONCURRENT_OPERATIONS: credits / 2,
  FINAL_SINK_BUFFER_SIZE: credits,
  FINAL_SINK_MAX_PENDING_ACKNOWLEDGMENTS: credits / 2,
});
