// Parts of the panel `why`: an explanation, the events of the log, and what would have been without some of them.
export { Explained } from "./explained.js";
export { Happened } from "./happened.js";
export { Otherwise } from "./otherwise.js";
