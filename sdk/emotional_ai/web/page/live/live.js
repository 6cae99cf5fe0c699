// The panel `live`. Arrays stay here; the server sends a span once, and then a moment at a time. While the tab is hidden it
// sends nothing, and what is shown again is asked for anew.
import { echarts } from "nicegui-echart";
import { number, signed, words } from "emotional-ai-written";
import { Blend, Curves, Manner, Past, Plane, looks } from "emotional-ai-live";

const TICK_MS = 1000;
const SLOWER_MS = 300; // between two drawings of the smaller pictures

export default {
  template: `
    <div class="live">
      <div class="live-head">
        <div class="live-label">
          <span class="live-feels">{{ words(label) || "..." }}</span>
          <span class="muted numbers" v-if="label">confidence {{ (confidence * 100).toFixed(0) }} %</span>
        </div>
        <div class="spans" role="group" aria-label="How far back">
          <button v-for="one in spans" :key="one.name" type="button" :aria-pressed="one.seconds === seconds"
            @click="choose(one.seconds)">{{ one.name }}</button>
        </div>
      </div>
      <dl class="levels">
        <div v-for="one in chemicals" :key="one.name" class="level" :data-chemical="one.name">
          <dt><svg width="26" height="8" aria-hidden="true"><line x1="1" x2="25" y1="4" y2="4" stroke-width="2.6"
            :stroke="dark ? one.on_dark : one.colour" :stroke-dasharray="dashes[one.dash]"/></svg>{{ one.name }}</dt>
          <dd class="numbers"><b>{{ two(levels[one.name]) }}</b><span class="muted">at rest {{ two(rest[one.name]) }}</span></dd>
        </div>
      </dl>
      <figure class="curves-box" role="group" aria-label="Levels over time; the arrow keys go from event to event" tabindex="0" @keydown="step" @blur="tip = null">
        <div ref="curves" class="curves" role="img" :aria-label="summary"></div>
        <div v-if="tip" class="tip" :class="{ 'tip-right': tip.right }" :style="{ left: tip.x + 'px' }" :aria-live="tip.keyed ? 'polite' : 'off'">
          <div class="muted numbers">{{ tip.time }}</div>
          <dl class="tip-levels numbers"><template v-for="one in tip.levels" :key="one.name"><dt>{{ one.name }}</dt>
            <dd>{{ two(one.level) }}</dd></template></dl>
          <div v-for="one in tip.marks" :key="one.sequence" class="tip-mark">
            <b>{{ one.title }}</b><span v-if="one.note" class="tip-note muted">{{ one.note }}</span>
            <div v-for="(moved, signal) in one.moved" :key="signal" class="numbers">{{ said(signal, moved) }}</div>
          </div>
          <div v-if="tip.more" class="muted">and {{ tip.more }} more</div>
        </div>
      </figure>
      <div class="live-more">
        <figure class="plane-box"><figcaption>Valence and arousal</figcaption>
          <div ref="plane" class="plane" role="img" :aria-label="whereabouts"></div></figure>
        <figure class="voice-box"><figcaption>Blend of adapters</figcaption>
          <div ref="blend" class="blend" role="img" aria-label="Weights of the adapters over time"></div>
          <ul class="voices"><li v-for="one in voices" :key="one.name"><i :style="{ background: one.colour }"></i>{{
            words(one.name) }} <span class="numbers">{{ (one.weight * 100).toFixed(0) }} %</span></li></ul>
          <p class="muted" v-if="filled && !voices.length">No adapters are here: the base model speaks.</p>
        </figure>
        <figure class="manner-box"><figcaption><svg width="22" height="8" aria-hidden="true"><line x1="0" x2="22" y1="4" y2="4"
            stroke="currentColor" stroke-width="1.8"/></svg> temperature <b class="numbers">{{ two(temperature) }}</b>
            <svg width="22" height="8" aria-hidden="true"><line x1="0" x2="22" y1="4" y2="4" stroke="currentColor" stroke-width="1.8"
            stroke-dasharray="4 3"/></svg> top_p <b class="numbers">{{ two(top_p) }}</b></figcaption>
          <div ref="manner" class="manner" role="img" aria-label="Temperature and top_p over time"></div></figure>
      </div>
    </div>`,
  props: { chemicals: Array, spans: Array, voice_colours: Object, other_colours: Array },
  data() {
    return {
      seconds: Number(sessionStorage.getItem("span") ?? this.spans[1].seconds),
      dashes: { solid: "none", dashed: "7 4", dotted: "2 3", dashdot: "9 3 2 3" },
      label: "", confidence: 0, levels: {}, rest: {}, temperature: null, top_p: null, voices: [], valence: 0, arousal: 0,
      dark: false, filled: false, tip: null, summary: "Levels of the four chemicals over time",
    };
  },
  computed: {
    whereabouts() {
      return `Valence ${signed(this.valence)}, arousal ${signed(this.arousal)}`;
    },
  },
  created() {
    this.past = new Past();
    this.due = false;
    this.drawnAt = this.curvesAt = 0;
  },
  mounted() {
    const colourOf = (name, index) => this.voice_colours[name] ?? this.other_colours[index % this.other_colours.length];
    this.colourOf = colourOf;
    this.pictures = [
      new Curves(echarts, this.$refs.curves, this.chemicals, (tip) => (this.tip = tip)),
      new Plane(echarts, this.$refs.plane),
      new Blend(echarts, this.$refs.blend, colourOf),
      new Manner(echarts, this.$refs.manner),
    ];
    this.resizing = new ResizeObserver(() => this.resized());
    for (const { chart } of this.pictures) this.resizing.observe(chart.getDom());
    this.theming = new MutationObserver(() => this.styled());
    this.theming.observe(document.body, { attributes: true, attributeFilter: ["class"] });
    document.addEventListener("visibilitychange", this.turned);
    this.ticking = setInterval(() => this.tick(), TICK_MS);
    this.styled();
    this.turned();
  },
  beforeUnmount() {
    clearInterval(this.ticking);
    document.removeEventListener("visibilitychange", this.turned);
    this.resizing.disconnect();
    this.theming.disconnect();
    for (const { chart } of this.pictures) chart.dispose();
  },
  methods: {
    words,
    // What the server calls.
    fill(span) {
      this.past.fill(span);
      this.rest = span.rest;
      this.filled = true;
      this.styled();
      this.add(span.latest);
    },
    spoken(points) {
      this.past.spoken(points);
      this.drawnAt = 0;
      this.drawSoon();
    },
    rested(rest) {
      this.rest = rest;
      this.styled();
    },
    add(point) {
      if (!this.filled) return;
      this.past.add(point);
      this.drawSoon();
    },
    mark(marks) {
      this.past.mark(marks);
      this.drawSoon();
    },
    // What a visitor does.
    choose(seconds) {
      this.seconds = seconds;
      sessionStorage.setItem("span", seconds);
      this.ask();
    },
    step(event) {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const time = this.pictures[0].neighbour(this.tip?.keyed ?? (step > 0 ? -Infinity : Infinity), step);
      if (time !== undefined) this.tip = { ...this.pictures[0].told(time), keyed: time };
    },
    turned() {
      if (document.hidden) this.$emit("hidden");
      else this.ask();
    },
    ask() {
      this.$emit("shown", this.seconds);
    },
    // How it is drawn.
    styled() {
      const look = looks();
      this.drawnAt = 0;
      this.dark = look.dark;
      for (const picture of this.pictures) picture.style(look, this.past, Object.keys(this.rest).length ? this.rest : null);
      this.drawSoon();
    },
    resized() {
      this.drawnAt = 0;
      for (const { chart } of this.pictures) if (chart.getDom().clientWidth) chart.resize();
      this.drawSoon();
    },
    // Time goes on while nothing happens; less than a pixel of it is not drawn.
    tick() {
      const pixel = (this.past.now - this.past.start) / Math.max(this.$refs.curves.clientWidth, 1);
      const waiting = this.past.last !== this.shown || this.drawnAt < this.curvesAt;
      if (waiting || performance.now() - this.curvesAt >= pixel) this.drawSoon();
    },
    drawSoon() {
      if (this.due || !this.filled || document.hidden || !this.$el.offsetParent) return;
      this.due = true;
      requestAnimationFrame(() => {
        this.due = false;
        if (this.pictures[0].chart.isDisposed()) return;
        this.read();
        if (this.$refs.curves.offsetParent) this.draw();
      });
    },
    draw() {
      const [curves, ...others] = this.pictures;
      curves.draw(this.past);
      this.curvesAt = performance.now();
      if (performance.now() - this.drawnAt < SLOWER_MS) return; // the next tick at the latest
      this.drawnAt = performance.now();
      for (const picture of others) picture.draw(this.past);
    },
    read() {
      const last = this.past.last;
      if (!last || last === this.shown) return;
      this.shown = last;
      for (const key of ["label", "confidence", "levels", "temperature", "top_p", "valence", "arousal"]) this[key] = last[key];
      const entries = Object.entries(last.blend).map(([name, weight], index) => ({ name, weight, colour: this.colourOf(name, index) }));
      this.voices = entries.filter(({ weight }) => weight >= 0.005).reverse();
      this.summary = "Levels: " + this.chemicals.map(({ name }) => `${name} ${this.two(last.levels[name])}`).join(", ");
    },
    said(signal, moved) {
      const parts = Object.entries(moved).map(([name, by]) => `${name} ${signed(by, 3)}`);
      return `${words(signal)} moved ${parts.join(", ") || "nothing"}`;
    },
    two(value) {
      return value === undefined || value === null ? "–" : number(value);
    },
  },
};
