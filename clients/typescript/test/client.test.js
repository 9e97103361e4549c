// Against a real service with the small shop; `RECPRISM_URL` says where it is.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Client, ServiceError } from "../dist/index.js";

const url = process.env.RECPRISM_URL;
const client = new Client(url);
const products = (answer) => answer.lists.products.items.map((item) => item.id);

test("an event moves the next list", async () => {
  const asked = { user: "from/node 🦊", tasks: ["products"], record: false };
  const before = await client.lists(asked);
  assert.equal(before.cold, true);
  const event = { user: asked.user, kind: "products", item: "p57", action: "purchase" };
  const sent = await client.send({ ...event, idempotency_key: "n-1" });
  assert.deepEqual(sent, { accepted: 1, duplicates: 0, rejected: [] });
  const twice = await client.send({ ...event, idempotency_key: "n-1" });
  assert.equal(twice.duplicates, 1);
  const after = await client.lists(asked);
  assert.equal(after.cold, false);
  assert.notDeepEqual(products(after), products(before));
  assert.ok(after.lists.products.items[0].reason.text);
  assert.equal((await client.profile(asked.user)).user, asked.user);
});

test("a wish is answered with what was understood", async () => {
  const answer = await client.ask({ query: "milk", tasks: ["products"] });
  assert.ok(answer.wish);
  assert.ok(products(answer).length > 0);
});

test("pages follow one another", async () => {
  const ids = new Set();
  for await (const item of client.items("products")) ids.add(item.id);
  assert.ok(ids.size > 50);
  const users = [];
  for await (const user of client.users("from/node")) users.push(user);
  assert.deepEqual(users, ["from/node 🦊"]);
});

test("an item that is put is found, and gone once it is deleted", async () => {
  const put = await client.putItem("products", "oat/1", { text: "oat milk", title: "OAT MILK" });
  assert.equal(put.title, "OAT MILK");
  const found = [];
  for await (const item of client.items("products", "oat/1")) found.push(item.id);
  assert.deepEqual(found, ["oat/1"]);
  await client.deleteItem("products", "oat/1");
  for await (const item of client.items("products", "oat/1")) assert.fail(item.id);
});

test("similar items and tasks can be asked for", async () => {
  assert.equal((await client.similar("products", "p01", 3)).length, 3);
  assert.ok((await client.tasks()).some((task) => task.name === "products"));
});

test("a refusal is told in the service's words", async () => {
  await assert.rejects(client.lists({ size: 0 }), (error) => {
    assert.ok(error instanceof ServiceError);
    assert.equal(error.status, 422);
    assert.equal(error.field, "size");
    assert.ok(error.message && error.requestId);
    return true;
  });
});

test("nobody without a key is an admin", async () => {
  await assert.rejects(client.keys(), { name: "ServiceError", status: 403 });
});

test("a service that is not there says so", async () => {
  await assert.rejects(new Client("http://127.0.0.1:9").tasks(), { status: 0, code: "unreachable" });
});
