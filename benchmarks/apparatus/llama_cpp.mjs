// llama.cpp as a contender, through node-llama-cpp of its own environment; says what turns.py says, one JSON object a line.
// The base model alone: its adapters' scales hold for a whole context, and this benchmark measures what it does best.

import {createRequire} from "node:module";
import {createInterface} from "node:readline";
import {pathToFileURL} from "node:url";

const setting = JSON.parse(process.argv[2]);
const home = new Map(setting.options).get("home");
const found = createRequire(`${home}/package.json`).resolve("node-llama-cpp");
const {getLlama, LlamaLogLevel} = await import(pathToFileURL(found));

const llama = await getLlama({gpu: false, build: "never", logLevel: LlamaLogLevel.error, maxThreads: setting.threads});
const model = await llama.loadModel({modelPath: setting.model});
const context = await model.createContext({contextSize: 512, threads: setting.threads});
const sequence = context.getSequence();

async function speak(turn) {
    const begun = performance.now();
    let spoken = 0;
    for (const prompt of turn.prompts) {
        await sequence.clearHistory();
        const end = spoken + turn.tokens;
        for await (const token of sequence.evaluate(prompt, {temperature: 0, yieldEogToken: true})) {
            model.detokenize([token]);
            if (++spoken === end) break;
        }
    }
    return {tokens: spoken, seconds: (performance.now() - begun) / 1e3};
}

const say = (measured) => process.stdout.write(JSON.stringify(measured) + "\n");
say({});
for await (const line of createInterface({input: process.stdin})) {
    const turn = JSON.parse(line);
    if (turn.kind !== "speak" || turn.blends.length > 0) throw new Error(`${turn.kind} is not measured here`);
    say(await speak(turn));
}
