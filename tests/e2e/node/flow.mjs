// The Batch API from upload to webhook by `openai` for Node; says what it went through.
//
// Its argument is the folder that holds that SDK, whose own variables tell it where to go.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";

const { OpenAI, toFile } = createRequire(`${process.argv[2]}/`)("openai");

const V2 = "hivebatch/hive_v2";
const V3 = "meta-llama/llama-3.2-1b-instruct";
const ENDPOINT = "/v1/chat/completions";
const FINAL = ["completed", "failed", "expired", "cancelled"];
const PATIENCE_MS = 60_000;

const client = new OpenAI();

const line = (custom_id, body = {}) => ({
  custom_id,
  method: "POST",
  url: ENDPOINT,
  body: { model: V2, messages: [{ role: "user", content: `Tell me about ${custom_id}.` }], ...body },
});
const asFile = (lines) => toFile(Buffer.from(lines.map((each) => JSON.stringify(each)).join("\n")), "input.jsonl");
const byCustomId = (text) => Object.fromEntries(text.trim().split("\n").map(JSON.parse).map((each) => [each.custom_id, each]));
const content = async (id) => byCustomId(await (await client.files.content(id)).text());

async function make(lines, fields = {}) {
  const file = await client.files.create({ file: await asFile(lines), purpose: "batch" });
  return client.batches.create({ input_file_id: file.id, endpoint: ENDPOINT, completion_window: "24h", ...fields });
}

async function ended({ id }) {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const batch = await client.batches.retrieve(id);
    if (FINAL.includes(batch.status)) return batch;
    assert(Date.now() < deadline, JSON.stringify(batch));
    await sleep(100);
  }
}

async function listed(page) {
  const ids = [];
  for await (const each of page) ids.push(each.id);
  return ids;
}

async function upload_to_results() {
  const lines = [...Array(10).keys()].map((number) => line(`river-${number}`, { temperature: 0 }));
  const batch = await ended(await make([...lines, line("impossible", { n: 2 })], { metadata: { of: "the tests" } }));
  assert.equal(batch.status, "completed");
  assert.deepEqual(batch.metadata, { of: "the tests" });
  assert.deepEqual(batch.request_counts, { total: 11, completed: 10, failed: 1 });
  const output = await content(batch.output_file_id);
  assert.deepEqual(Object.keys(output).sort(), lines.map((each) => each.custom_id));
  assert.match(output["river-7"].response.body.choices[0].message.content, /river-7/);
  const errors = await content(batch.error_file_id);
  assert.equal(errors.impossible.response.status_code, 400);
}

async function files() {
  const made = [];
  for (const purpose of ["batch", "user_data", "user_data"])
    made.push((await client.files.create({ file: await asFile([line("a")]), purpose })).id);
  assert.deepEqual((await listed(client.files.list({ limit: 1 }))).slice(0, 3), made.toReversed());
  assert.deepEqual(await listed(client.files.list({ purpose: "user_data", order: "asc" })), made.slice(1));
  assert.equal((await client.files.waitForProcessing(made[0])).status, "processed");
  assert.deepEqual(Object.keys(await content(made[0])), ["a"]);
  for (const id of made) assert.equal((await client.files.delete(id)).deleted, true);
}

async function faults_of_a_file() {
  const batch = await ended(await make([line("a"), line("b", { stream: true }), line("a")]));
  assert.equal(batch.status, "failed");
  const found = batch.errors.data.map((each) => [each.code, each.line]);
  assert.deepEqual(found, [["streaming_unsupported", 2], ["duplicate_custom_id", 3]]);
}

async function lists_of_batches() {
  const made = [];
  for (let number = 0; number < 3; number++) made.push((await make([line("a")])).id);
  const all = await listed(client.batches.list({ limit: 1 }));
  assert.deepEqual(all.slice(0, 3), made.toReversed());
  assert.equal(new Set(all).size, all.length);
}

async function cancelling() {
  const made = await make([...Array(300).keys()].map((number) => line(`${number}`)));
  await client.batches.cancel(made.id);
  const batch = await ended(made);
  assert.equal(batch.status, "cancelled");
  const left = await content(batch.error_file_id);
  const done = batch.output_file_id ? await content(batch.output_file_id) : {};
  assert.equal(Object.keys({ ...left, ...done }).length, 300);
  assert(Object.values(left).every((each) => each.error.code === "batch_cancelled"));
}

async function errors() {
  await assert.rejects(client.batches.retrieve("batch_none"), (error) => {
    assert(error instanceof OpenAI.NotFoundError);
    assert.match(error.message, /No batch found with id 'batch_none'\./);
    return Boolean(error.requestID);
  });
  const asked = { input_file_id: "file-x", endpoint: "/v1/embeddings", completion_window: "24h" };
  await assert.rejects(client.batches.create(asked), { status: 400, code: "invalid_value", param: "endpoint" });
  await assert.rejects(client.withOptions({ apiKey: "none" }).models.list(), { status: 401, code: "invalid_api_key" });
  const { id } = await ended(await make([line("a")]));
  await assert.rejects(client.batches.cancel(id), OpenAI.ConflictError);
}

async function models() {
  const served = await listed(client.models.list());
  assert(served.includes(V2));
  assert.equal((await client.models.retrieve(V3)).id, V3);
}

async function chat_completions() {
  for (const model of [V2, V3]) {
    const asked = { model, messages: [{ role: "user", content: "Name a river." }] };
    const whole = (await client.chat.completions.create(asked)).choices[0].message.content;
    let streamed = "";
    for await (const chunk of await client.chat.completions.create({ ...asked, stream: true }))
      streamed += chunk.choices[0].delta.content ?? "";
    assert.equal(streamed, whole);
  }
}

async function webhooks() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${server.address().port}/in`;
  const made = await client.webhooks.create({ url, name: "tests", event_types: ["batch.completed"] });
  const batch = await make([line("a")]);
  const [request, response] = await once(server, "request", { signal: AbortSignal.timeout(PATIENCE_MS) });
  let body = "";
  for await (const piece of request) body += piece;
  response.writeHead(204).end();
  const event = await client.webhooks.unwrap(body, request.headers, made.signing_secret);
  assert.deepEqual([event.type, event.data.id], ["batch.completed", batch.id]);
  await assert.rejects(client.webhooks.unwrap(`${body} `, request.headers, made.signing_secret));
  await client.webhooks.delete(made.id);
  server.closeAllConnections();
  server.close();
}

const STEPS = [upload_to_results, files, faults_of_a_file, lists_of_batches, cancelling, errors, models, chat_completions, webhooks];

for (const step of STEPS) {
  await step();
  console.log(step.name);
}
