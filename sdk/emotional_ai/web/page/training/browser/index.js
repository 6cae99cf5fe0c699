// Parts of the room `training`: the form (order), a job as it goes (going), and its curves.
export { Order } from "./order.js";
export { Going } from "./going.js";
