// What happened within the span that is shown, as arrays that only grow at the end and are cut at the beginning.
const FINEST = 600; // points a span is drawn with; more would not be seen
const MOST_MARKS = 1000;
const MOST_POINTS = 2400; // points of a line, as far as they are not of late: a session to which much happens for long is thinned
const LATELY_MS = 30000;
const SHORTEST_MS = 60000;

export class Past {
  constructor() {
    this.clear(600);
  }

  clear(seconds) {
    this.seconds = seconds;
    this.lines = {}; // by name: [[time in ms, value], ...]
    this.path = []; // [[valence, arousal, time], ...]
    this.voices = []; // names of adapters, in the order blends use
    this.marks = [];
    this.version = 0;
    this.last = null;
    this.began = Date.now();
    this.ahead = 0; // ms the service's clock is ahead of this one
  }

  get now() {
    return Date.now() + this.ahead;
  }

  // A young session fills the picture: nothing is drawn before it began, but a minute at least.
  get start() {
    const youngest = Math.min(this.began, this.now - SHORTEST_MS);
    return this.seconds ? Math.max(this.now - this.seconds * 1000, youngest) : youngest;
  }

  line(name) {
    return (this.lines[name] ??= []);
  }

  // A whole span, from the log.
  fill({ seconds, began, now, times, levels, path, marks }) {
    const since = this.marks.filter((one) => one.time > now); // told while the span was asked for
    this.clear(seconds);
    this.ahead = now - Date.now();
    this.began = began;
    for (const [name, values] of Object.entries(levels)) this.lines[name] = values.map((value, i) => [times[i], value]);
    this.path = path.map(([valence, arousal], i) => [valence, arousal, times[i]]);
    this.mark([...marks, ...since]);
  }

  // How it would have spoken then, at fewer times.
  spoken(points) {
    const newer = {};
    for (const name of ["temperature", "top_p", ...this.voices.map(voiced)]) newer[name] = this.lines[name] ?? [];
    for (const name of Object.keys(newer)) this.lines[name] = [];
    for (const point of points) this.manner(point);
    for (const [name, points] of Object.entries(newer)) {
      const since = this.line(name).at(-1)?.[0] ?? 0;
      for (const pair of points) if (pair[0] > since) this.line(name).push(pair);
    }
  }

  // One more moment. Until an event the levels stay where they were: they do not slope towards what it did.
  add(point) {
    if (this.last && point.time <= this.last.time) return;
    const jumped = this.last !== null && point.version !== this.last.version;
    if (point.time > (this.path.at(-1)?.[2] ?? 0)) { // a span may reach further than the moment that came with it
      for (const [name, value] of Object.entries(point.levels)) this.push(name, point.time, value, jumped);
      this.path.push([point.valence, point.arousal, point.time]);
    }
    this.manner(point, jumped);
    this.ahead = Math.max(point.time - Date.now(), this.ahead - 50);
    this.last = point;
    this.cut();
  }

  manner({ time, temperature, top_p, blend }, jumped = false) {
    this.push("temperature", time, temperature, jumped);
    this.push("top_p", time, top_p, jumped);
    for (const name of Object.keys(blend)) if (!this.voices.includes(name)) this.join(name);
    for (const [name, weight] of Object.entries(blend)) this.push(voiced(name), time, weight, jumped);
  }

  // A new adapter had no weight before; stacked areas need a value at every time.
  join(name) {
    const other = this.voices.length ? this.line(voiced(this.voices[0])) : [];
    this.lines[voiced(name)] = other.map(([time]) => [time, 0]);
    this.voices.push(name);
  }

  push(name, time, value, jumped) {
    const line = this.line(name);
    const before = line.at(-1);
    if (jumped && before && time - before[0] > 2) line.push([time - 1, before[1]]);
    const closest = (this.now - this.start) / FINEST;
    const two = line.at(-2);
    if (!jumped && two && !before.kept && time - two[0] < closest) line.pop();
    const pair = [time, value];
    if (jumped) pair.kept = true;
    line.push(pair);
  }

  mark(marks) {
    const known = new Set(this.marks.map((one) => one.sequence));
    this.marks.push(...marks.filter((one) => !known.has(one.sequence)));
    this.marks.sort((one, other) => one.sequence - other.sequence); // an answer may be overtaken by a later one
    if (this.marks.length > MOST_MARKS) this.marks.splice(0, this.marks.length - MOST_MARKS);
  }

  cut() {
    const start = this.start;
    for (const [name, line] of Object.entries(this.lines)) {
      cutBefore(line, (pair) => pair[0], start);
      this.lines[name] = thinned(line, (pair) => pair[0], this.last.time);
    }
    cutBefore(this.path, (point) => point[2], start);
    this.path = thinned(this.path, (point) => point[2], this.last.time);
    cutBefore(this.marks, (one) => one.time, start, 0);
  }

  // A line with its last value held until now.
  held(name) {
    const line = this.line(name);
    return line.length ? [...line, [Math.max(this.now, line.at(-1)[0]), line.at(-1)[1]]] : line;
  }

  at(name, time) {
    const line = this.line(name);
    let low = 0;
    let high = line.length - 1;
    if (high < 0 || time < line[0][0]) return null;
    if (time >= line[high][0]) return line[high][1];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (line[middle][0] <= time) low = middle;
      else high = middle;
    }
    const share = (time - line[low][0]) / (line[high][0] - line[low][0]);
    return line[low][1] + share * (line[high][1] - line[low][1]);
  }
}

export function voiced(name) {
  return "voice " + name;
}

function cutBefore(list, time, start, keep = 1) {
  let gone = 0;
  while (gone < list.length - keep && time(list[gone + keep]) < start) gone += 1;
  if (gone) list.splice(0, gone);
}

// Every second point of a list that has become long, but all of late.
function thinned(list, time, now) {
  return list.length > MOST_POINTS ? list.filter((one, index) => index % 2 === 0 || time(one) >= now - LATELY_MS) : list;
}
