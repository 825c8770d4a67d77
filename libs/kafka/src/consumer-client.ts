import type { Admin, Consumer } from 'kafkajs';

/** What of kafkajs the source uses; one client is one member of the group, and is built anew after a crash. */
export interface ConsumerClient {
  readonly consumer: Pick<
    Consumer,
    | 'connect'
    | 'disconnect'
    | 'subscribe'
    | 'run'
    | 'commitOffsets'
    | 'seek'
    | 'pause'
    | 'resume'
    | 'on'
    | 'events'
  >;
  readonly admin: Pick<
    Admin,
    | 'connect'
    | 'disconnect'
    | 'fetchTopicOffsets'
    | 'fetchOffsets'
    | 'fetchTopicMetadata'
    | 'describeCluster'
    | 'describeConfigs'
    | 'createTopics'
    | 'listTopics'
  >;
}
