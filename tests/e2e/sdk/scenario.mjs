// What a user of Svix's JavaScript SDK does, against the server whose URL and token are given.
// Run in a folder of its own that has only the packages svix and standardwebhooks.
// Ends with exit code 0 and the word "done" if everything was as the SDK promises it.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [serverUrl, token] = process.argv.slice(2);
const require = createRequire(join(process.cwd(), "package.json"));
const importHere = (name) => import(pathToFileURL(require.resolve(name)));
const { Svix, Webhook, ApiException, MessageStatus, messageInRaw } = await importHere("svix");
const { Webhook: StandardWebhook } = await importHere("standardwebhooks");

const received = [];
const answers = {};
const receiver = createServer((request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    received.push({ path: request.url, headers: request.headers, body: Buffer.concat(chunks) });
    response.statusCode = answers[request.url] ?? 200;
    response.end();
  });
});
await new Promise((resolve) => receiver.listen(0, "127.0.0.1", resolve));
const url = `http://127.0.0.1:${receiver.address().port}`;

async function until(what, isSo = Boolean) {
  const end = Date.now() + 10_000;
  for (;;) {
    const value = await what();
    if (isSo(value)) return value;
    assert.ok(Date.now() < end, `still ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function refused(status, promise) {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof ApiException, String(error));
    assert.equal(error.code, status);
    return true;
  });
}

const receivedAt = (path) => received.filter((one) => one.path === path);
// Replacing or creating is called `upsert` since 2.0.
const replace = (resource, ...args) => (resource.upsert ?? resource.update).apply(resource, args);
const setHeaders = (resource, ...args) =>
  (resource.setHeaders ?? resource.updateHeaders ?? resource.headersUpdate).apply(resource, args);

// No retries: what fails must fail here.
const svix = new Svix(token, { serverUrl, retryScheduleInMs: [] });

// Applications
const app = await svix.application.create({ name: "Shop", uid: "shop", metadata: { a: "b" } });
assert.equal(app.uid, "shop");
assert.ok(app.createdAt instanceof Date && !Number.isNaN(app.createdAt.getTime()));
assert.equal((await svix.application.getOrCreate({ name: "x", uid: "shop" })).id, app.id);
await refused(409, svix.application.create({ name: "x", uid: "shop" }));
assert.equal((await replace(svix.application, "shop", { name: "Two", uid: "shop" })).name, "Two");
assert.equal((await svix.application.patch("shop", { name: "Three" })).uid, "shop");
const spare = await svix.application.create({ name: "Spare", uid: "spare" });
assert.equal((await svix.application.patch("spare", { uid: null })).uid ?? null, null);
let page = await svix.application.list({ limit: 1 });
assert.deepEqual([page.data[0].id, page.done], [app.id, false]);
page = await svix.application.list({ limit: 1, iterator: page.iterator });
assert.equal(page.data[0].id, spare.id);
page = await svix.application.list({ limit: 1, iterator: page.prevIterator });
assert.deepEqual([page.data[0].id, page.done], [app.id, true]);
await svix.application.delete(spare.id);
await refused(404, svix.application.get(spare.id));
await refused(422, svix.application.create({ name: "" }));

// Event types
const schemas = { 1: { type: "object", examples: [{ n: 1 }] } };
await svix.eventType.create({ name: "order.paid", description: "Paid", schemas });
await svix.eventType.create({ name: "order.sent", description: "Sent" });
await refused(409, svix.eventType.create({ name: "order.paid", description: "" }));
assert.equal((await replace(svix.eventType, "order.sent", { description: "x" })).description, "x");
assert.equal((await svix.eventType.patch("order.sent", { archived: true })).archived, true);
assert.deepEqual((await svix.eventType.list()).data.map((one) => one.name), ["order.paid"]);
assert.equal((await svix.eventType.list({ includeArchived: true })).data.length, 2);
await svix.eventType.delete("order.sent", { expunge: true });
await refused(404, svix.eventType.get("order.sent"));
assert.deepEqual((await svix.eventType.get("order.paid")).schemas, schemas);

// Endpoints
const types = { eventTypes: ["order.paid"], filterTypes: ["order.paid"] };
const endpoint = await svix.endpoint.create("shop", {
  url: `${url}/main`, uid: "main", channels: ["eu"], ...types,
});
assert.deepEqual(endpoint.channels, ["eu"]);
assert.deepEqual(endpoint.eventTypes ?? endpoint.filterTypes, ["order.paid"]);
await refused(422, svix.endpoint.create("shop", { url, eventTypes: ["no"], filterTypes: ["no"] }));
const other = await svix.endpoint.create("shop", { url: `${url}/other` });
page = await svix.endpoint.list("shop", { limit: 1 });
assert.deepEqual([page.data[0].id, page.done], [other.id, false]);
await svix.endpoint.delete("shop", other.id);
await replace(svix.endpoint, "shop", "main", { url: `${url}/main`, uid: "main" });
assert.equal((await svix.endpoint.get("shop", "main")).channels ?? null, null);
const patch = { description: "d", throttleRate: 5, rateLimit: 5 };
assert.equal((await svix.endpoint.patch("shop", "main", patch)).description, "d");
await svix.endpoint.patch("shop", "main", { throttleRate: null, rateLimit: null });
await setHeaders(svix.endpoint, "shop", "main", { headers: { "X-Shop": "1", "X-Api-Key": "k" } });
await svix.endpoint.patchHeaders("shop", "main", { headers: { "X-More": "2" } });
const headers = await svix.endpoint.getHeaders("shop", "main");
assert.deepEqual(headers.headers, { "X-Shop": "1", "X-More": "2" });
assert.deepEqual([...headers.sensitive], ["X-Api-Key"]);
const secret = (await svix.endpoint.getSecret("shop", "main")).key;

// Messages, and what arrives
const order = { eventType: "order.paid", eventId: "order-1", payload: { n: 1, name: "é" } };
const sent = await svix.message.create(
  "shop", { ...order, channels: ["eu"], tags: ["t"] }, { idempotencyKey: "k", withContent: true },
);
assert.deepEqual(sent.payload, { n: 1, name: "é" });
const first = (await until(() => receivedAt("/main")[0]));
new Webhook(secret).verify(first.body, first.headers);
assert.deepEqual(
  new StandardWebhook(secret).verify(first.body, first.headers), { n: 1, name: "é" },
);
assert.throws(() => new StandardWebhook(secret).verify(`${first.body} `, first.headers));
assert.equal(first.headers["x-shop"], "1");
await refused(409, svix.message.create("shop", { ...order, payload: { n: 2 } }));
assert.equal((await svix.message.get("shop", "order-1")).id, sent.id);
await svix.endpoint.rotateSecret("shop", "main", {});
const next = (await svix.endpoint.getSecret("shop", "main")).key;
assert.notEqual(next, secret);
await svix.message.create("shop", messageInRaw("order.paid", '{ "not" :  "minified" }'));
const second = await until(() => receivedAt("/main")[1]);
assert.equal(second.body.toString(), '{ "not" :  "minified" }');
for (const key of [secret, next]) new StandardWebhook(key).verify(second.body, second.headers);
assert.deepEqual(
  (await svix.message.list("shop", { tag: "t", eventTypes: ["order.paid"] })).data.map((m) => m.id),
  [sent.id],
);

// Attempts
const attempt = (await until(
  async () => (await svix.messageAttempt.listByMsg("shop", sent.id)).data[0],
));
assert.deepEqual([attempt.status, attempt.responseStatusCode], [MessageStatus.Success, 200]);
assert.deepEqual(
  (await svix.messageAttempt.listByEndpoint("shop", "main", {
    status: MessageStatus.Success, channel: "eu", withMsg: true,
    before: new Date(Date.now() + 60_000), after: new Date(Date.now() - 600_000),
  })).data.map((one) => [one.id, one.msg.id]),
  [[attempt.id, sent.id]],
);
assert.equal((await svix.messageAttempt.get("shop", sent.id, attempt.id)).id, attempt.id);
const attempted = await svix.messageAttempt.listAttemptedMessages("shop", "main", { channel: "eu" });
assert.deepEqual(attempted.data.map((one) => one.id), [sent.id]);
const places = await svix.messageAttempt.listAttemptedDestinations("shop", sent.id);
assert.deepEqual([places.data.map((one) => one.id), places.done], [[endpoint.id], true]);
await svix.messageAttempt.resend("shop", sent.id, "main");
await until(async () => (await svix.messageAttempt.listByMsg("shop", sent.id)).data.length === 2);
await svix.messageAttempt.expungeContent("shop", sent.id, attempt.id);
await svix.message.expungeContent("shop", sent.id);

// Failures and recovery
answers["/flaky"] = 500;
await svix.endpoint.create("shop", { url: `${url}/flaky`, uid: "flaky" });
const since = new Date(Date.now() - 300_000);
await svix.message.create("shop", { eventType: "order.paid", payload: { n: 3 } });
const standing = async () =>
  (await svix.messageAttempt.listAttemptedMessages("shop", "flaky")).data[0]?.status;
await until(standing, (status) => status === MessageStatus.Fail);
const stats = await svix.endpoint.getStats("shop", "flaky", { since });
assert.deepEqual([stats.success, stats.fail], [0, 2]);
answers["/flaky"] = 200;
assert.match((await svix.endpoint.recover("shop", "flaky", { since })).id, /^qtask_/);
await until(standing, (status) => status === MessageStatus.Success);
await svix.endpoint.sendExample("shop", "flaky", { eventType: "order.paid" });
await until(() => receivedAt("/flaky").some((one) => one.body.toString() === '{"n":1}'));

// Background tasks
const ended = async ({ id }) =>
  until(() => svix.backgroundTask.get(id), (task) => task.status === "finished");
const ofKind = await svix.backgroundTask.list({ task: "endpoint.recover", status: "finished" });
assert.deepEqual(ofKind.data.map((task) => task.data.messagesSent), [1]);
await svix.endpoint.create("shop", { url: `${url}/late`, uid: "late" });
const missing = await ended(await svix.endpoint.replayMissing("shop", "late", { since }));
assert.ok(missing.data.messagesSent >= 2);
await until(() => receivedAt("/late").length === missing.data.messagesSent);
// Received is not recorded yet, and what is under way is not sent again.
const recorded = async () =>
  (await svix.messageAttempt.listAttemptedMessages("shop", "late")).data.filter(
    (one) => one.status === MessageStatus.Success,
  ).length;
await until(recorded, (count) => count === missing.data.messagesSent);
const replayed = await ended(await svix.endpoint.bulkReplay("shop", "late", { since }));
assert.equal(replayed.data.messagesSent, missing.data.messagesSent);
const [wanted] = (await ended(await svix.statistics.aggregateEventTypes())).data.event_types;
assert.equal(wanted.hasCatchAllEndpoint, true);
const used = { since, until: new Date(), appIds: ["shop"] };
const [usage] = (await ended(await svix.statistics.aggregateAppStats(used))).data.appStats;
assert.ok(usage.messageDestinations > 0);
const purged = await ended(await svix.message.expungeAllContents("shop"));
assert.ok(purged.data.messagesPurged >= 1);

// Access and health
const granted = await svix.authentication.appPortalAccess("shop", {});
const portal = new Svix(granted.token, { serverUrl });
assert.ok((await portal.endpoint.list("shop")).data.length > 0);
await refused(403, portal.application.list());
await refused(401, new Svix("x", { serverUrl }).application.list());
await refused(501, new Svix(token, { serverUrl, retryScheduleInMs: [] }).integration.list("shop"));
await svix.health.get();

// Operational webhooks
const ops = await svix.operationalWebhook.endpoint.create({ url: `${url}/ops`, uid: "ops" });
assert.deepEqual(
  (await svix.operationalWebhook.endpoint.list()).data.map((one) => one.id),
  [ops.id],
);
const opsSecret = (await svix.operationalWebhook.endpoint.getSecret("ops")).key;
await svix.endpoint.patch("shop", "flaky", { disabled: true });
const toldOf = (name) => receivedAt("/ops")
  .map((one) => {
    new Webhook(opsSecret).verify(one.body, one.headers);
    return JSON.parse(one.body.toString());
  })
  .filter((one) => one.type === name);
await until(() => toldOf("endpoint.disabled").length === 1);
assert.equal(toldOf("endpoint.disabled")[0].data.endpointUid, "flaky");
await svix.operationalWebhook.endpoint.delete("ops");

// Later, precheck, and tokens that are ended
const deliverAt = new Date(Date.now() + 3_600_000);
const scheduled = await svix.message.create("shop", {
  eventType: "order.paid", payload: {}, deliverAt,
});
assert.deepEqual(scheduled.deliverAt, deliverAt);
assert.ok((await svix.message.precheck("shop", { eventType: "order.paid" })).active);
const ending = new Svix(granted.token, { serverUrl, retryScheduleInMs: [] });
await ending.authentication.logout();
await refused(401, ending.endpoint.list("shop"));
await svix.authentication.expireAll("shop", {});

receiver.closeAllConnections();
receiver.close();
console.log("done");
