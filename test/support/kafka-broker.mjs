// A real Apache Kafka (KRaft, one node) for the tests: from Maven Central with Java 17 or newer, else from docker.
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { freePort } from './free-port.mjs';

const VERSION = '3.9.1';
const MINIMUM_JAVA = 17;
const READY_DEADLINE_MS = 60_000;
const STOP_DEADLINE_MS = 20_000;
const CLUSTER_ID = 'MkU3OEVBNTcwNTJENDM2Qk';
const COPY_PLUGIN = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';

// 3.9 is compiled against reload4j, but its own POM brings no binding.
const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
 <groupId>penstock</groupId><artifactId>test-broker</artifactId><version>1</version><dependencies>
  <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${VERSION}</version></dependency>
  <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-reload4j</artifactId><version>1.7.36</version></dependency>
 </dependencies></project>`;

const LOG4J = `log4j.rootLogger=WARN, stdout
log4j.appender.stdout=org.apache.log4j.ConsoleAppender
log4j.appender.stdout.layout=org.apache.log4j.PatternLayout
log4j.appender.stdout.layout.ConversionPattern=%d %p %c %m%n`;

const settings = ({
  brokerPort,
  controllerPort,
  dataDir,
  advertised,
}) => `process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:${controllerPort}
listeners=PLAINTEXT://${advertised === undefined ? '127.0.0.1' : '0.0.0.0'}:${brokerPort},CONTROLLER://127.0.0.1:${controllerPort}
advertised.listeners=PLAINTEXT://127.0.0.1:${advertised ?? brokerPort}
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs=${dataDir}
num.partitions=4
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
broker.heartbeat.interval.ms=250
broker.session.timeout.ms=1500
log.retention.check.interval.ms=1000
log.cleaner.backoff.ms=500
auto.create.topics.enable=false
`;

function javaProblem() {
  const { status, stderr } = spawnSync('java', ['-version'], { encoding: 'utf8' });
  if (status !== 0) return 'no `java` on the PATH';
  const major = Number(/version "(\d+)/.exec(stderr)?.[1]);
  return major >= MINIMUM_JAVA ? undefined : `java is version ${major}, not ${MINIMUM_JAVA}`;
}

function cacheFolder() {
  const cache = process.env.XDG_CACHE_HOME || path.join(homedir(), '.cache');
  return path.join(cache, 'penstock', `kafka-${VERSION}`, 'lib');
}

/** The folder with Kafka's jars; fetched once by Maven, beside it and renamed, so that two runs can't meet half-way. */
function fetchJars() {
  const target = cacheFolder();
  if (existsSync(target)) return target;
  mkdirSync(path.dirname(target), { recursive: true });
  const work = mkdtempSync(path.join(path.dirname(target), 'fetch-'));
  try {
    writeFileSync(path.join(work, 'pom.xml'), POM);
    const output = path.join(work, 'lib');
    const options = [`-DoutputDirectory=${output}`, '-DincludeScope=runtime'];
    const maven = spawnSync('mvn', ['-q', '-B', COPY_PLUGIN, ...options], {
      cwd: work,
      encoding: 'utf8',
    });
    if (maven.error) throw new Error('no `mvn` on the PATH');
    if (maven.status !== 0) throw new Error(`mvn failed: ${maven.stdout.slice(-1000)}`);
    if (!existsSync(target)) renameSync(output, target);
    return target;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function canConnect(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/**
 * Starts a broker. Its ports stay the same over `kill()` and `start()`, so that clients find it again.
 * `advertisedPort`: what clients are told to connect to, for a proxy in between.
 */
export async function createBroker({ advertisedPort, port } = {}) {
  const missing = [];
  const java = javaProblem();
  if (java) missing.push(java);
  else {
    try {
      const jars = fetchJars();
      return await startJavaBroker(jars, { advertisedPort, port });
    } catch (error) {
      missing.push(error.message);
    }
  }
  const docker = spawnSync('docker', ['info'], { encoding: 'utf8' });
  if (docker.status === 0 && advertisedPort === undefined) return startDockerBroker(port);
  missing.push('no docker engine answers');
  throw new Error(
    `The Kafka tests need a broker: set TEST_KAFKA_BROKERS to a running one (host:port,…), or install Java ${MINIMUM_JAVA} ` +
      `and Maven, or start docker. Found: ${missing.join('; ')}.`,
  );
}

async function startJavaBroker(jars, { advertisedPort, port }) {
  const runDir = mkdtempSync(path.join(tmpdir(), 'penstock-test-kafka-'));
  const brokerPort = port ?? (await freePort());
  const controllerPort = await freePort();
  const properties = path.join(runDir, 'kraft.properties');
  const dataDir = path.join(runDir, 'data');
  writeFileSync(
    properties,
    settings({ brokerPort, controllerPort, dataDir, advertised: advertisedPort }),
  );
  writeFileSync(path.join(runDir, 'log4j.properties'), LOG4J);
  const classPath = `${jars}/*`;
  const logging = `-Dlog4j.configuration=file:${path.join(runDir, 'log4j.properties')}`;
  const format = spawnSync(
    'java',
    ['-cp', classPath, logging, 'kafka.tools.StorageTool', 'format'].concat(
      ['-t', CLUSTER_ID, '-c', properties],
      '--ignore-formatted',
    ),
    { encoding: 'utf8' },
  );
  if (format.status !== 0) throw new Error(`Kafka's format failed: ${format.stderr.slice(-1000)}`);

  let child;
  let log = '';
  const start = async () => {
    child = spawn(
      'java',
      ['-Xms256m', '-Xmx768m', '-XX:+UseG1GC', '-XX:TieredStopAtLevel=1', logging, '-cp'].concat(
        classPath,
        'kafka.Kafka',
        properties,
      ),
      { cwd: runDir, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        log = (log + text).slice(-10_000);
      });
    }
    writeFileSync(path.join(runDir, 'pid'), String(child.pid));
    const endMs = performance.now() + READY_DEADLINE_MS;
    while (!(await canConnect(brokerPort))) {
      if (child.exitCode !== null) throw new Error(`Kafka ended at its start:\n${log}`);
      if (performance.now() > endMs) throw new Error(`Kafka was not ready in time:\n${log}`);
      await pause(50);
    }
  };
  const end = async (signal) => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const closed = new Promise((resolve) => child.once('close', resolve));
    child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_DEADLINE_MS);
    await closed;
    clearTimeout(timer);
  };
  await start();
  return {
    brokers: `127.0.0.1:${advertisedPort ?? brokerPort}`,
    port: brokerPort,
    get pid() {
      return child.pid;
    },
    start,
    kill: () => end('SIGKILL'),
    freeze: () => child.kill('SIGSTOP'),
    thaw: () => child.kill('SIGCONT'),
    stop: async () => {
      await end('SIGTERM');
      rmSync(runDir, { recursive: true, force: true });
    },
  };
}

async function startDockerBroker(port) {
  const brokerPort = port ?? (await freePort());
  const name = `penstock-test-kafka-${randomBytes(6).toString('hex')}`;
  const environment = {
    KAFKA_NODE_ID: '1',
    KAFKA_PROCESS_ROLES: 'broker,controller',
    KAFKA_CONTROLLER_QUORUM_VOTERS: '1@localhost:9093',
    KAFKA_LISTENERS: 'PLAINTEXT://:9092,CONTROLLER://:9093',
    KAFKA_ADVERTISED_LISTENERS: `PLAINTEXT://127.0.0.1:${brokerPort}`,
    KAFKA_CONTROLLER_LISTENER_NAMES: 'CONTROLLER',
    KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: '1',
    KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: '1',
    KAFKA_TRANSACTION_STATE_LOG_MIN_ISR: '1',
    KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: '0',
    KAFKA_AUTO_CREATE_TOPICS_ENABLE: 'false',
  };
  const docker = (...args) => {
    const { status, stderr } = spawnSync('docker', args, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`docker ${args[0]} failed: ${stderr}`);
  };
  const flags = Object.entries(environment).flatMap(([key, value]) => ['-e', `${key}=${value}`]);
  docker(
    'run',
    '-d',
    '--name',
    name,
    '-p',
    `127.0.0.1:${brokerPort}:9092`,
    ...flags,
    `apache/kafka:${VERSION}`,
  );
  const ready = async () => {
    const endMs = performance.now() + READY_DEADLINE_MS;
    while (!(await canConnect(brokerPort))) {
      if (performance.now() > endMs) throw new Error('Kafka was not ready in time.');
      await pause(100);
    }
  };
  await ready();
  return {
    brokers: `127.0.0.1:${brokerPort}`,
    port: brokerPort,
    pid: -1,
    start: async () => {
      docker('start', name);
      await ready();
    },
    kill: async () => docker('kill', name),
    freeze: () => docker('pause', name),
    thaw: () => docker('unpause', name),
    stop: async () => docker('rm', '-f', name),
  };
}
