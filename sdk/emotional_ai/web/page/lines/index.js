// Small pictures of curves over one common time, drawn once and read by pointing or with the arrow keys.
import { clock, moment, number } from "emotional-ai-written";

const DASHES = { solid: "none", dashed: "7 4", dotted: "1.5 4", dashdot: "9 4 1.5 4" };
const SIDE = 1000; // units of a picture's own coordinates
const LEAST = 0.1; // least range of levels a picture shows

export const Lines = {
  template: `
    <div class="lines" role="group" :aria-label="label" tabindex="0" @keydown="step" @mouseleave="at = null" @blur="at = null">
      <figure v-for="picture in drawn" :key="picture.title" class="lines-one">
        <figcaption>{{ picture.title }}</figcaption>
        <div class="lines-plot" @mousemove="point">
          <svg :viewBox="box" preserveAspectRatio="none" role="img" :aria-label="picture.title + ': ' + said(picture)">
            <line v-if="zero !== null" :x1="zero" :x2="zero" y1="0" :y2="side" class="lines-mark"/>
            <path v-for="line in picture.lines" :key="line.key" :d="line.path" fill="none" vector-effect="non-scaling-stroke"
              :class="['lines-line', line.faint ? 'lines-faint' : '']" :style="line.colours" :stroke-dasharray="line.dashes"/>
            <line v-if="at !== null" :x1="x(at)" :x2="x(at)" y1="0" :y2="side" class="lines-cursor"/>
          </svg>
          <span class="lines-top numbers muted">{{ two(picture.high) }}</span>
          <span class="lines-low numbers muted">{{ two(picture.low) }}</span>
        </div>
        <div class="lines-times numbers muted">
          <template v-if="at === null"><span>{{ time(times[0]) }}</span><span>{{ time(times.at(-1)) }}</span></template>
          <span v-else class="lines-at">{{ time(times[at]) }}</span>
        </div>
        <ul class="lines-legend">
          <li v-for="line in picture.lines.filter((one) => !one.faint)" :key="line.key">
            <svg width="24" height="8" aria-hidden="true"><line x1="1" x2="23" y1="4" y2="4" :style="line.colours"
              class="lines-line" :stroke-dasharray="line.dashes"/></svg>
            <span>{{ line.name }}</span><b class="numbers">{{ value(line) }}</b>
            <span v-if="beside(picture, line)" class="numbers muted" title="the faint curve">{{ value(beside(picture, line)) }}</span></li>
        </ul>
      </figure>
      <p class="sr" role="status" aria-live="polite">{{ spoken }}</p>
    </div>`,
  // `pictures`: [{ title, lines: [{ name, colour, on_dark, dash, faint, values }] }]; `times`: ms since 1970, or minutes.
  props: { label: String, times: Array, unit: String, pictures: Array },
  data() {
    return { at: null, spoken: "", side: SIDE, box: `0 0 ${SIDE} ${SIDE}` };
  },
  computed: {
    drawn() {
      return this.pictures.map((picture) => {
        const [low, high] = range(picture.lines.flatMap((line) => line.values));
        const path = (values) =>
          values.map((value, i) => `${i ? "L" : "M"}${this.x(i).toFixed(1)} ${(SIDE * (high - value) / (high - low)).toFixed(1)}`).join("");
        const lines = picture.lines.map((line) => ({
          ...line,
          key: `${line.name} ${line.faint}`,
          path: path(line.values),
          dashes: DASHES[line.dash],
          colours: { "--on-light": line.colour, "--on-dark": line.on_dark },
        }));
        return { title: picture.title, low, high, lines };
      });
    },
    zero() {
      if (this.unit === "clock" || this.times[0] >= 0) return null;
      return (SIDE * (0 - this.times[0])) / (this.times.at(-1) - this.times[0]);
    },
  },
  watch: {
    times() {
      this.at = null;
    },
  },
  methods: {
    x(index) {
      const first = this.times[0];
      return (SIDE * (this.times[index] - first)) / (this.times.at(-1) - first || 1);
    },
    point(event) {
      const area = event.currentTarget.getBoundingClientRect();
      const share = (event.clientX - area.left) / area.width;
      const time = this.times[0] + share * (this.times.at(-1) - this.times[0]);
      this.at = nearest(this.times, time);
    },
    step(event) {
      const last = this.times.length - 1;
      const by = { ArrowRight: 1, ArrowLeft: -1, PageUp: 10, PageDown: -10, Home: -last, End: last }[event.key];
      if (!by) return;
      this.at = Math.min(Math.max((this.at ?? (by > 0 ? -1 : last + 1)) + by, 0), last);
      this.spoken = `${this.time(this.times[this.at])}. ` + this.drawn.map((picture) => this.read(picture)).join("; ");
      event.preventDefault();
    },
    value(line) {
      return line.values[this.at ?? line.values.length - 1].toFixed(3);
    },
    beside(picture, line) {
      return picture.lines.find((one) => one.faint && one.name === line.name);
    },
    read(picture) {
      return `${picture.title}: ` + picture.lines.filter((line) => !line.faint).map((line) => `${line.name} ${this.value(line)}`).join(", ");
    },
    said(picture) {
      return picture.lines.filter((line) => !line.faint).map((line) => `${line.name} from ${this.two(line.values[0])} to ${this.two(line.values.at(-1))}`).join(", ");
    },
    two(value) {
      return value.toFixed(2);
    },
    time(value) {
      if (this.unit !== "clock") return `${round(value)} min`;
      return this.times.at(-1) - this.times[0] > 43200000 ? moment(value, false) : clock(value);
    },
  },
};

function round(value) {
  return number(value, Math.abs(value) < 10 ? 1 : 0);
}

function range(values) {
  const low = Math.min(...values);
  const high = Math.max(...values);
  const spare = Math.max(LEAST - (high - low), (high - low) * 0.24) / 2;
  return [Math.max(low - spare, 0), Math.min(high + spare, 1)];
}

function nearest(times, time) {
  let best = 0;
  for (let i = 1; i < times.length; i += 1) if (Math.abs(times[i] - time) < Math.abs(times[best] - time)) best = i;
  return best;
}
