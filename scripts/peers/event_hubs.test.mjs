// The local Event Hubs through Azure's own client for JavaScript, which rests on another AMQP library (rhea).
// https://www.npmjs.com/package/@azure/event-hubs

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { EventHubConsumerClient, EventHubProducerClient, earliestEventPosition } from "@azure/event-hubs";

const connectionString = process.env.HUB_CONNECTION_STRING;
const patienceS = 20;
let consumer, producer;

before(() => {
  consumer = new EventHubConsumerClient("$Default", connectionString);
  producer = new EventHubProducerClient(connectionString);
});

after(async () => {
  await consumer.close();
  await producer.close();
});

/** The first `count` events of a partition behind `startPosition`; rejects with the error of the receiver. */
function receive(partition, count, { client = consumer, ...options } = {}) {
  const events = [];
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => finish(reject, new Error(`${events.length} of ${count} events came`)), patienceS * 1000);
    const subscription = client.subscribe(
      partition,
      {
        processEvents: async (batch) => {
          events.push(...batch);
          if (events.length >= count) finish(resolve, events);
        },
        processError: async (error) => finish(reject, error),
      },
      { startPosition: earliestEventPosition, maxBatchSize: 100, maxWaitTimeInSeconds: 1, trackLastEnqueuedEventProperties: true, ...options },
    );
    function finish(settle, value) {
      clearTimeout(timer);
      subscription.close().then(() => settle(value), reject);
    }
  });
}

async function publish(partition, bodies) {
  for (const body of bodies) await producer.sendBatch([{ body, properties: { kind: typeof body } }], { partitionId: partition });
}

test("the hub and its partitions are described", async () => {
  const hub = await consumer.getEventHubProperties();
  assert.deepEqual(hub.partitionIds, ["0", "1", "2", "3"]);
  assert.equal((await consumer.getPartitionProperties("3")).isEmpty, true);
});

test("bodies of every size and type come back as they were sent", async () => {
  const bodies = [{ a: [1, null, "é"] }, "text", 42, null, "x".repeat(70_000), "x".repeat(900_000)];
  await publish("0", bodies);
  const events = await receive("0", bodies.length);
  assert.deepEqual(events.map((event) => event.body), bodies);
  assert.deepEqual(events.map((event) => event.sequenceNumber), [0, 1, 2, 3, 4, 5]);
  assert.equal(events[0].properties.kind, "object");
  assert.ok(events[0].enqueuedTimeUtc <= new Date());
});

test("a receiver begins behind an offset, at a number, and at a time", async () => {
  const all = await receive("0", 6);
  const positions = [
    [{ offset: all[2].offset }, 3],
    [{ offset: all[2].offset, isInclusive: true }, 2],
    [{ sequenceNumber: 4 }, 5],
    [{ sequenceNumber: 4, isInclusive: true }, 4],
    [{ enqueuedOn: all[0].enqueuedTimeUtc.getTime() - 1 }, 0],
  ];
  for (const [startPosition, first] of positions) {
    assert.equal((await receive("0", 1, { startPosition }))[0].sequenceNumber, first, JSON.stringify(startPosition));
  }
});

test("a batch is as large as the hub allows, and its events keep their order", async () => {
  const batch = await producer.createBatch({ partitionId: "1" });
  assert.equal(batch.maxSizeInBytes, 1024 * 1024);
  let sent = 0;
  while (batch.tryAdd({ body: { n: sent, padding: "x".repeat(8_000) } })) sent += 1;
  await producer.sendBatch(batch);
  const events = await receive("1", sent);
  assert.deepEqual(events.map((event) => event.body.n), [...Array(sent).keys()]);
});

test("a message that is too large is refused with its condition", async () => {
  const sent = producer.sendBatch([{ body: "x".repeat(1_100_000) }], { partitionId: "2" });
  await assert.rejects(sent, { code: "MessageTooLargeError" });
});

test("a higher owner level displaces a lower one", async () => {
  await publish("2", ["one"]);
  const other = new EventHubConsumerClient("$Default", connectionString);
  try {
    const displaced = receive("2", 99, { ownerLevel: 1 });
    const seen = assert.rejects(displaced, { code: "ReceiverDisconnectedError" });
    await receive("2", 1, { ownerLevel: 2, client: other });
    await seen;
  } finally {
    await other.close();
  }
});

test("a partition that the hub does not have is refused as out of range", async () => {
  await assert.rejects(receive("99", 1), { code: "ArgumentOutOfRangeError" });
});

test("a key that is wrong is refused as unauthorized", async () => {
  const wrong = connectionString.replace(/SharedAccessKey=[^;]+/, "SharedAccessKey=d3Jvbmc=");
  const stranger = new EventHubConsumerClient("$Default", wrong, { retryOptions: { maxRetries: 0 } });
  try {
    await assert.rejects(stranger.getPartitionIds(), { code: "UnauthorizedError" });
  } finally {
    await stranger.close();
  }
});
