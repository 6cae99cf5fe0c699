// Does with the bridge what a client can do, and prints a line for each thing that worked.
//
//   node everything.mjs ERA PIPE URL                     ERA is "handshake" or "self-contained"
//   node everything.mjs ERA PIPE PROGRAM ARGUMENTS...
//
// The service behind it speaks by a script: "I am here for you.", in three pieces; its reply ends once something is written to
// the pipe. Ends with status 1 at the first thing that fails.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { connected } from './connection.mjs';

const SPOKEN = { handshake: '2025-11-25', 'self-contained': '2026-07-28' };
const PATIENCE = 30_000;

const [era, pipe, ...where] = process.argv.slice(2);
const own = `typescript.${era}.${where[0].startsWith('http:') ? 'http' : 'stdio'}`;
const another = `${own}.another`;
const state = `emotion://sessions/${own}/state`;
const { client, version, onUpdated, call, subscribed } = await connected(era, where);
const notices = [];
let noticed = () => {};
onUpdated(({ params }) => {
  notices.push(params.uri);
  noticed();
});

await works('connects', async () => {
  assert.equal(client.getServerVersion().name, 'emotion_engine');
  assert.equal(version, SPOKEN[era]);
  assert.match(client.getInstructions(), /get_emotional_state/);
});

await works('lists tools', async () => {
  const { tools } = await client.listTools();
  const names = tools.map((tool) => tool.name);
  assert.deepEqual(names.slice(0, 2), ['get_emotional_state', 'update_emotion']);
  for (const { title, inputSchema, outputSchema, annotations } of tools) {
    assert.ok(title);
    assert.equal(inputSchema.type, 'object');
    assert.equal(outputSchema.type, 'object');
    assert.equal(typeof annotations.readOnlyHint, 'boolean');
  }
});

await works('calls', async () => {
  const told = await changed({ session_id: own, create_session: true, reward: 0.8 });
  assert.ok(told.dopamine_change > 0);
  const answer = await call({ name: 'get_emotional_state', arguments: { session_id: own } });
  assert.ok(answer.structuredContent.dopamine > answer.structuredContent.dopamine_at_rest);
  assert.match(answer.content[0].text, /feels/);
  assert.deepEqual(JSON.parse(answer.content[1].text), answer.structuredContent);
});

await works('is refused in words', async () => {
  const wrong = await call({ name: 'update_emotion', arguments: { session_id: own, reward: 7 } });
  assert.equal(wrong.isError, true);
  assert.match(wrong.content[0].text, /^\[INVALID_ARGUMENT\] reward .*1, got 7/);
  await assert.rejects(call({ name: 'feel_nothing', arguments: {} }), /feel_nothing/);
});

await works('reads', async () => {
  const { resources } = await client.listResources();
  assert.ok(resources.some(({ uri }) => uri === state));
  const { resourceTemplates } = await client.listResourceTemplates();
  assert.equal(resourceTemplates.length, 2);
  const { contents } = await client.readResource({ uri: 'emotion://schema' });
  assert.ok(JSON.parse(contents[0].text).signals.reward);
  assert.equal(JSON.parse((await client.readResource({ uri: state })).contents[0].text).session_id, own);
  await assert.rejects(client.readResource({ uri: 'emotion://nothing' }), /emotion:\/\/schema/);
});

await works('subscribes', async () => {
  const end = await subscribed(state);
  await told(state, () => changed({ session_id: own, threat: 0.9 }));
  await end();
});

await works('unsubscribes', async () => {
  await changed({ session_id: another, create_session: true, reward: 0.1 });
  const uri = `emotion://sessions/${another}/state`;
  const end = await subscribed(uri);
  const before = count(state);
  await changed({ session_id: own, reward: 0.9 });
  // Notices about one state are a while apart: by the third, one about the other would have come.
  for (const signal of ['praise', 'threat', 'reward']) {
    await told(uri, () => changed({ session_id: another, [signal]: 0.9 }));
  }
  assert.equal(count(state), before, 'a state is told of that is no longer subscribed to');
  await end();
});

await works('prompts', async () => {
  const { prompts } = await client.listPrompts();
  assert.deepEqual(
    prompts.map(({ name }) => name),
    ['reply_in_character', 'describe_state', 'reflect_on_change'],
  );
  const asked = { name: 'reply_in_character', arguments: { message: 'How was it?', session_id: own } };
  const { messages } = await client.getPrompt(asked);
  assert.match(messages[0].content.text, /How was it\?/);
  await assert.rejects(client.getPrompt({ name: 'reply_in_character', arguments: {} }), /message is missing/);
});

await works('completes', async () => {
  const argument = { name: 'session_id', value: own.slice(0, -2) };
  for (const ref of [
    { type: 'ref/prompt', name: 'describe_state' },
    { type: 'ref/resource', uri: 'emotion://sessions/{session_id}/state' },
  ]) {
    const { completion } = await client.complete({ ref, argument });
    assert.deepEqual(completion.values, [own, another]);
  }
});

await works('follows progress', async () => {
  const pieces = [];
  const asked = { name: 'generate_reply', arguments: { session_id: own, prompt: 'Are you there?' } };
  // This client forgets who follows as soon as the answer is there, so the answer waits until every piece was looked at.
  const onprogress = ({ message }) => pieces.push(message) === 3 && writeFileSync(pipe, 'heard');
  const answer = await call(asked, { onprogress });
  assert.deepEqual(pieces, ['I am ', 'here for ', 'you.']);
  assert.equal(answer.structuredContent.reply, 'I am here for you.');
});

await works('leaves', () => client.close());

async function works(what, tried) {
  await within(what, tried());
  console.log(`ok ${what}`);
}

async function changed(given) {
  const answer = await call({ name: 'update_emotion', arguments: given });
  assert.ok(!answer.isError, answer.content[0].text);
  return answer.structuredContent;
}

/** Does something, and waits until the state at `uri` is told to have moved since. */
async function told(uri, moved) {
  const before = count(uri);
  const news = new Promise((resolve) => (noticed = () => count(uri) > before && resolve()));
  await moved();
  await news;
}

/** Notices about the state at `uri` so far. */
function count(uri) {
  return notices.filter((one) => one === uri).length;
}

async function within(what, done) {
  let late;
  const waited = new Promise((_, reject) => {
    late = setTimeout(() => reject(new Error(`${what}: not done after ${PATIENCE} ms`)), PATIENCE);
  });
  await Promise.race([done, waited]).finally(() => clearTimeout(late));
}
