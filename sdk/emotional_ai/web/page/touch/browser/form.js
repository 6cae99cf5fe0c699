// The form: the contract's JSON of a configuration, read and written by path, such as "dynamics.gains.praise.dopamine".
export function at(form, path) {
  return path.split(".").reduce(part, form);
}

export function put(form, path, value) {
  const names = path.split(".");
  const last = names.pop();
  names.reduce(part, form)[last] = value;
}

export function copy(what) {
  return JSON.parse(JSON.stringify(what));
}

function part(of, name) {
  return Array.isArray(of) ? of.find((row) => row.signal === `SIGNAL_${name.toUpperCase()}`).gain : of?.[name];
}
