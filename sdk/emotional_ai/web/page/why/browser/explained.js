// An explanation: a stacked bar a chemical, then the same as a table whose columns add up.
import { moment, signed, words } from "emotional-ai-written";

export const Explained = {
  template: `
    <div class="explained">
      <p><b>{{ words(told.was) }}</b><template v-if="told.was !== told.became"> became <b>{{ words(told.became) }}</b></template><template v-else> at both ends</template>,
        <span class="numbers">{{ minutes }}</span> simulated minutes from {{ moment(told.began) }} to {{ moment(told.ended) }}.</p>
      <figure role="img" :aria-label="summary" class="bars">
        <div v-for="one in told.changes" :key="one.chemical" class="bar-row">
          <span class="bar-name">{{ one.chemical }}<span class="numbers muted">{{ one.change }}</span></span>
          <div class="bar">
            <i v-for="part in one.segments" :key="part.part" class="bar-part" :class="look(part.part).texture" :title="words(part.part) + ' ' + moved(part)"
              :style="{ left: place(part.low), width: width(part), background: look(part.part).colour }"></i>
            <i class="bar-zero" :style="{ left: place(0) }"></i>
            <i class="bar-net" :style="{ left: place(one.moved) }" title="the change"></i>
          </div>
        </div>
        <figcaption class="muted">What raised a level lies right of the thin line, what lowered it left; the mark <i class="bar-net-key"></i> is the change they add up to.</figcaption>
      </figure>
      <div class="table-box"><table class="sums numbers">
        <caption class="sr">Change of each chemical by each cause, in levels</caption>
        <thead><tr><th scope="col">moved by</th><th v-for="one in told.changes" :key="one.chemical" scope="col">{{ one.chemical }}</th></tr></thead>
        <tbody>
          <tr class="muted"><th scope="row">before</th><td v-for="one in told.changes" :key="one.chemical">{{ one.before }}</td></tr>
          <tr v-for="part in told.parts" :key="part.name"><th scope="row"><i class="key" :class="look(part.name).texture" :style="{ background: look(part.name).colour }"></i>{{ part.name }}</th>
            <td v-for="(number, i) in part.shown" :key="i">{{ number }}</td></tr>
          <tr class="total"><th scope="row">after</th><td v-for="one in told.changes" :key="one.chemical">{{ one.after }}</td></tr>
        </tbody>
      </table></div>
      <p class="muted">Homeostasis is what the chemistry did by itself: it goes back to rest, and each chemical pulls at the others.</p>
    </div>`,
  props: { told: Object },
  computed: {
    ends() {
      const every = this.told.changes.flatMap((one) => one.segments);
      const low = Math.min(0, ...every.map((one) => one.low));
      const high = Math.max(0, ...every.map((one) => one.high));
      const spare = Math.max((high - low) * 0.02, 0.005);
      return [low - spare, high + spare];
    },
    minutes() {
      return this.told.minutes.toFixed(1);
    },
    summary() {
      return "Change by cause. " + this.told.changes.map((one) => `${one.chemical} ${one.change}`).join(", ");
    },
    looks() {
      return Object.fromEntries(this.told.parts.map((part) => [part.name, part]));
    },
  },
  methods: {
    moment,
    words,
    place(level) {
      const [low, high] = this.ends;
      return `${(100 * (level - low)) / (high - low)}%`;
    },
    width(part) {
      const [low, high] = this.ends;
      return `${(100 * (part.high - part.low)) / (high - low)}%`;
    },
    moved(part) {
      return signed(part.high > 0 ? part.high - part.low : part.low - part.high, 3);
    },
    look(name) {
      return this.looks[words(name)];
    },
  },
};
