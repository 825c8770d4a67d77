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

declare module 'kafkajs/src/protocol/encoder.js' {
  export default class Encoder {
    constructor(initialBytes?: number);
    readonly buf: Buffer;
    readonly buffer: Buffer;
    size(): number;
    writeInt16(value: number): this;
    writeBoolean(value: boolean): this;
    writeUVarInt(value: number): this;
    writeUVarIntString(value: string | null): this;
    writeInt32(value: number): this;
    writeInt64(value: unknown): this;
    writeBytes(value: Buffer): this;
    writeString(value: string | null): this;
    writeArray(values: readonly Encoder[]): this;
    writeEncoder(value: Encoder): this;
  }
}

declare module 'kafkajs/src/protocol/requests/produce/index.js' {
  const produce: {
    readonly versions: readonly string[];
    protocol: (options: { version: number }) => (given: {
      readonly topicData: readonly object[];
    }) => {
      request: {
        encode(): Promise<import('kafkajs/src/protocol/encoder.js').default>;
      };
      response: unknown;
    };
  };
  export default produce;
}

declare module 'kafkajs/src/producer/groupMessagesPerPartition.js' {
  export default function groupMessagesPerPartition(given: {
    readonly topic: string;
    readonly partitionMetadata: readonly object[];
    readonly partitioner: (given: never) => number;
    readonly messages: readonly object[];
  }): Record<string, readonly object[]>;
}

declare module 'kafkajs/src/protocol/decoder.js' {
  export default class Decoder {
    constructor(buffer: Buffer);
    buffer: Buffer;
    offset: number;
    readInt16(): number;
    readInt32(): number;
    readInt64(): { toString(): string };
    readUVarIntString(): string | null;
    readUVarIntArray<T>(read: (decoder: Decoder) => T): T[] | null;
    readTaggedFields(): unknown;
    readString(): string | null;
    readBytes(length: number): Buffer;
    canReadBytes(length: number): boolean;
    readArray<T>(read: (decoder: Decoder) => T): T[];
    readArrayAsync<T>(read: (decoder: Decoder) => Promise<T>): Promise<T[]>;
  }
}

declare module 'kafkajs/src/protocol/messageSet/decoder.js' {
  import type Decoder from 'kafkajs/src/protocol/decoder.js';
  export default function decode(
    decoder: Decoder,
    size: number,
  ): Promise<{ readonly offset: string; readonly key: Buffer | null }[]>;
}

declare module 'kafkajs/src/protocol/message/compression/index.js' {
  const compression: {
    lookupCodecByAttributes(attributes: number): {
      compress(encoder: { readonly buffer: Buffer }): Promise<Buffer>;
      decompress(buffer: Buffer): Promise<Buffer>;
    } | null;
  };
  export default compression;
}

declare module 'kafkajs/src/protocol/requests/offsetFetch/index.js' {
  export interface OffsetFetchArguments {
    readonly groupId: string;
    readonly topics: readonly {
      readonly topic: string;
      readonly partitions: readonly { readonly partition: number }[];
    }[];
  }
  export type OffsetFetchProtocol = (options: { version: number }) => (
    given: OffsetFetchArguments,
  ) => {
    request: {
      apiKey: number;
      apiVersion: number;
      apiName: string;
      encode(): Promise<import('kafkajs/src/protocol/encoder.js').default>;
    };
    response: {
      decode(raw: Buffer): Promise<unknown>;
      parse(data: unknown): Promise<unknown>;
    };
  };
  const offsetFetch: { versions: readonly string[]; protocol: OffsetFetchProtocol };
  export default offsetFetch;
}

declare module 'kafkajs/src/protocol/requests/fetch/index.js' {
  const fetch: {
    readonly versions: readonly string[];
    protocol: (options: { version: number }) => (given: object) => {
      request: unknown;
      response: { decode(raw: Buffer): Promise<unknown>; parse(data: unknown): Promise<unknown> };
    };
  };
  export default fetch;
}

declare module 'kafkajs/src/protocol/messageSet/index.js' {
  export default function encode(given: {
    readonly messageVersion: number;
    readonly entries: readonly object[];
  }): import('kafkajs/src/protocol/encoder.js').default;
}
