// BullMQ: two hundred jobs, some that are tried again, delayed ones, one that fails, and a flow.

import assert from "node:assert/strict";
import { FlowProducer, Queue, QueueEvents, UnrecoverableError, Worker } from "bullmq";

const [host, port] = process.argv.slice(2);
const connection = { host, port: Number(port), maxRetriesPerRequest: null };
const NUMBER = 200;

async function work(job) {
  switch (job.name) {
    case "double":
      return 2 * job.data.number;
    case "flaky":
      if (job.attemptsMade < 2) throw new Error("not yet");
      return job.attemptsMade;
    case "hopeless":
      throw new UnrecoverableError("no such luck");
    case "sum": {
      const children = Object.values(await job.getChildrenValues());
      return children.reduce((sum, value) => sum + value, 0);
    }
  }
  throw new Error(`no job has the name ${job.name}`);
}

const queue = new Queue("jobs", { connection });
queue.setMaxListeners(0);
const events = new QueueEvents("jobs", { connection });
await events.waitUntilReady();
const workers = [1, 2].map(() => new Worker("jobs", work, { connection, concurrency: 10 }));
const flows = new FlowProducer({ connection });

const doubled = await queue.addBulk(
  Array.from({ length: NUMBER }, (_, number) => ({ name: "double", data: { number } })),
);
const flaky = await queue.add("flaky", {}, { attempts: 5, backoff: { type: "fixed", delay: 10 } });
const hopeless = await queue.add("hopeless", {}, { attempts: 5 });
const delayed = await queue.add("double", { number: 21 }, { delay: 300 });
const urgent = await queue.add("double", { number: 4 }, { priority: 1 });
const flow = await flows.add({
  name: "sum",
  queueName: "jobs",
  children: [1, 2, 3].map((number) => ({ name: "double", queueName: "jobs", data: { number } })),
});

const results = await Promise.all(doubled.map((job) => job.waitUntilFinished(events)));
assert.deepEqual(results, Array.from({ length: NUMBER }, (_, number) => 2 * number));
assert.equal(await flaky.waitUntilFinished(events), 2);
await assert.rejects(hopeless.waitUntilFinished(events), /no such luck/);
assert.equal(await delayed.waitUntilFinished(events), 42);
assert.equal(await urgent.waitUntilFinished(events), 8);
assert.equal(await flow.job.waitUntilFinished(events), 12);
const { completed, failed, waiting, active, delayed: left } = await queue.getJobCounts();
assert.deepEqual([completed, failed, waiting, active, left], [NUMBER + 7, 1, 0, 0, 0]);
assert.equal((await queue.getCompleted(0, -1)).length, NUMBER + 7);
await queue.obliterate({ force: true });
assert.equal(await (await queue.client).exists(queue.toKey("meta")), 0);

await Promise.all([...workers, events, flows, queue].map((each) => each.close()));
console.log("done");
process.exit(0);
