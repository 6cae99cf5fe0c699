// Cancels a call of the bridge once its first progress has come, and prints what was left of it: node cancellation.mjs ERA URL,
// or ERA PROGRAM ARGUMENTS..., as in everything.mjs.
//
// The service behind it stops after a piece and waits to be cancelled.

import assert from 'node:assert/strict';
import { connected } from './connection.mjs';

const [era, ...where] = process.argv.slice(2);
const { client, call } = await connected(era, where);
await works();
const enough = new AbortController();
const asked = { name: 'generate_reply', arguments: { prompt: 'Are you there?' } };
const reply = call(asked, { onprogress: () => enough.abort('heard enough'), signal: enough.signal });
await assert.rejects(reply, /heard enough/);
console.log('ok cancels');

await works();
console.log('ok goes on');
await client.close();

async function works() {
  const { isError } = await call({ name: 'get_emotional_state', arguments: {} });
  assert.ok(!isError);
}
