// Parts of the editor: fields and tables of numbers, where the chemicals rest, what can be switched on, and the form itself.
export { Field, Table } from "./fields.js";
export { Rest } from "./rest.js";
export { SWITCHES, Switched } from "./switched.js";
export { at, copy, put } from "./form.js";
