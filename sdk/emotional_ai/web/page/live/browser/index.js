// What the panel `live` draws with: the past it keeps (past), how it looks (look), and its four pictures.
export { Past } from "./past.js";
export { looks } from "./look.js";
export { Curves } from "./curves.js";
export { Plane } from "./plane.js";
export { Blend } from "./blend.js";
export { Manner } from "./manner.js";
