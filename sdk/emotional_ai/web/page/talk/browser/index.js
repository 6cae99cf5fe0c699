// What the panel `talk` is made of: a reply with its voices (reply), a turn (turn), what other clients said (elsewhere), the choice
// of another state (again).
export { default as TalkTurn } from "./turn.js";
export { default as TalkAgain } from "./again.js";
export { default as TalkElsewhere } from "./elsewhere.js";
