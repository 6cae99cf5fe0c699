// What the rooms draw with: looking (tells the server whether somebody looks), waiting for an answer, a question before what
// cannot be undone, a digest, and times in words.
export { Looked } from "./looked.js";
export { Waiting } from "./waiting.js";
export { Ask } from "./ask.js";
export { Digest } from "./digest.js";
export { ago, exactly, left } from "./times.js";
