// Signals: a press applies one at the intensity chosen; sliders set several, to apply at once or to hold.
import { words } from "emotional-ai-written";

export default {
  template: `
    <section class="touch-part" aria-labelledby="touch-signals">
      <h2 id="touch-signals" class="panel-title">Signals</h2>
      <label class="touch-row">
        <span>Intensity of a press</span>
        <input type="range" min="0.05" max="1" step="0.05" v-model.number="intensity" aria-label="Intensity of a press">
        <output class="numbers">{{ intensity.toFixed(2) }}</output>
      </label>
      <div v-for="group in groups" :key="group.name" class="press-group" role="group" :aria-label="group.name + ' signals'">
        <button v-for="name in group.signals" :key="name" type="button" class="press" :data-signal="name" :title="meanings[name]"
          @click="press(name)">{{ words(name) }}</button>
      </div>
      <p class="touch-said muted" role="status">{{ said_last }}</p>
      <div v-if="held" class="touch-state"><span>Held now: {{ held }}</span>
        <button type="button" class="plain" @click="ask('release')">End what is held</button></div>
      <details class="touch-more">
        <summary>Several at once, or held for a while</summary>
        <div class="press-sliders">
          <label v-for="name in every" :key="name" class="touch-row">
            <span>{{ words(name) }}</span>
            <input type="range" min="0" max="1" step="0.05" v-model.number="levels[name]" :aria-label="words(name) + ', intensity'">
            <output class="numbers">{{ levels[name].toFixed(2) }}</output>
          </label>
        </div>
        <label class="touch-row"><span>Note kept in the log</span>
          <input type="text" maxlength="256" v-model="note" placeholder="optional" aria-label="Note kept in the log"></label>
        <label class="touch-row loose"><span>Hold for</span>
          <input type="number" min="0" max="10000000" step="any" v-model.number="minutes" aria-label="Hold for simulated minutes">
          <span class="muted">simulated minutes (0: until ended)</span></label>
        <div class="touch-actions">
          <button type="button" class="main" :disabled="!chosen" @click="apply">Apply once</button>
          <button type="button" class="main" :disabled="!chosen || minutes === '' || !(minutes >= 0 && minutes <= 10000000)" @click="hold">Hold</button>
          <button type="button" class="plain" :disabled="!chosen" @click="clear">Clear the sliders</button>
        </div>
        <p class="muted">Signals that are held replace those held before.</p>
      </details>
    </section>`,
  props: { groups: Array, meanings: Object, held: String },
  data() {
    const every = this.groups.flatMap((group) => group.signals);
    return { every, intensity: 0.7, levels: Object.fromEntries(every.map((name) => [name, 0])), note: "", minutes: 30, said_last: "" };
  },
  computed: {
    chosen() {
      return this.every.some((name) => this.levels[name] > 0);
    },
  },
  methods: {
    words,
    press(name) {
      this.ask("press", { [name]: this.intensity }, "");
    },
    apply() {
      this.ask("press", this.picked(), this.note);
    },
    hold() {
      this.ask("hold", this.picked(), this.minutes, this.note);
    },
    ask(what, ...given) {
      this.said_last = ""; // what is said next is told even if it is the same
      this.$emit(what, ...given);
    },
    picked() {
      return Object.fromEntries(Object.entries(this.levels).filter(([, level]) => level > 0));
    },
    clear() {
      for (const name of this.every) this.levels[name] = 0;
    },
    said(words) {
      this.said_last = words;
    },
  },
};
