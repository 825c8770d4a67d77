// Parts of kafkajs 2.2.4 and of its codecs that have no typings.
declare module 'kafkajs/src/network/requestQueue/index.js' {
  export default class RequestQueue {
    pending: readonly unknown[];
    throttledUntil: number;
    scheduleCheckPendingRequests(): void;
  }
}

declare module 'kafkajs-snappy' {
  export interface Codec {
    compress(encoder: { readonly buffer: Buffer }): Promise<Buffer>;
    decompress(buffer: Buffer): Promise<Buffer>;
  }
  export default function snappy(): Codec;
}
