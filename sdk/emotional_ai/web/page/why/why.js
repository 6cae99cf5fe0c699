// The panel `why`. Rows stay here; explanations and what would have been are asked for when they are wanted.
import { Explained, Happened, Otherwise } from "emotional-ai-why";

const QUIET_MS = 150; // how long nothing is ticked before the service is asked
const AGAIN_MS = 500; // least time between explanations that are asked for since something happened
const MOST = 1000; // newest events listed

export default {
  components: { Explained, Happened, Otherwise },
  template: `
    <div class="why">
      <section class="why-part" aria-labelledby="why-title">
        <h2 id="why-title" class="panel-title">Why it feels so</h2>
        <div class="why-span" role="group" aria-label="Span to explain">
          <button type="button" :aria-pressed="kind === 'beginning'" @click="choose('beginning')">Since the beginning</button>
          <form @submit.prevent="choose('minutes')"><button type="submit" :aria-pressed="kind === 'minutes'" :disabled="!(minutes > 0)">Last</button>
            <input type="number" min="0.1" step="any" v-model.number="minutes" aria-label="Minutes to look back by the clock"> minutes by the clock</form>
          <form @submit.prevent="choose('between')"><button type="submit" :aria-pressed="kind === 'between'" :disabled="!(first > 0 && last > 0)">From event</button>
            <input type="number" min="1" step="1" v-model.number="first" aria-label="First event of the span"> to
            <input type="number" min="1" step="1" v-model.number="last" aria-label="Last event of the span"></form>
        </div>
        <Explained v-if="told" :told="told"/>
      </section>
      <section class="why-part" aria-labelledby="why-otherwise">
        <div class="why-head"><h2 id="why-otherwise" class="panel-title">What if</h2>
          <button v-if="without.length" type="button" class="plain" @click="clear">Clear</button></div>
        <p class="muted">Untick an event to see how it would feel had that not happened.</p>
        <Happened v-if="filled" :rows="rows" :without="without" @turn="turn" @from="from" @to="to">
          <Otherwise v-if="other && without.length" :told="other" :without="without"/></Happened>
      </section>
    </div>`,
  props: { session: String, chemicals: Array },
  data() {
    return { kind: "beginning", minutes: 10, first: null, last: null, told: null, filled: false, rows: [], without: [], other: null };
  },
  mounted() {
    this.visible = this.stale = false;
    this.again = null;
    this.watching = new IntersectionObserver((seen) => this.turned(seen.at(-1).isIntersecting));
    this.watching.observe(this.$el);
  },
  beforeUnmount() {
    this.watching.disconnect();
    clearTimeout(this.waiting);
    clearTimeout(this.again);
  },
  methods: {
    turned(visible) {
      this.visible = visible;
      if (visible && !this.filled) {
        this.$emit("seen");
        this.explain();
      } else if (visible && this.stale) this.refresh();
    },
    refresh() {
      this.stale = !this.visible;
      if (this.stale) return;
      if (this.kind === "beginning" || (this.kind === "minutes" && this.minutes > 0)) this.explain();
      if (this.without.length) this.think();
    },
    choose(kind) {
      this.kind = kind;
      this.explain();
    },
    from(sequence) {
      this.first = sequence;
      if (!(this.last >= sequence)) this.last = this.rows.at(-1).sequence;
      this.choose("between");
    },
    to(sequence) {
      this.last = sequence;
      if (!(this.first <= sequence && this.first > 0)) this.first = this.rows[0].sequence;
      this.choose("between");
    },
    explain() {
      const [one, other] = { minutes: [this.minutes, 0], between: [this.first, this.last], beginning: [0, 0] }[this.kind];
      this.$emit("explain", this.kind, one, other);
    },
    turn(sequence) {
      const away = this.without.includes(sequence);
      this.without = away ? this.without.filter((one) => one !== sequence) : [...this.without, sequence];
      this.think();
    },
    think() {
      clearTimeout(this.waiting);
      this.waiting = setTimeout(() => this.$emit("without", this.without), QUIET_MS);
    },
    clear() {
      this.without = [];
      this.other = null;
      this.think();
    },
    // What the server calls.
    explained(told) {
      this.told = told;
    },
    happened(rows) {
      const known = new Set(this.rows.map((row) => row.sequence));
      const news = rows.filter((row) => !known.has(row.sequence));
      if (!news.length) return;
      this.rows = [...this.rows, ...news].sort((one, other) => one.sequence - other.sequence).slice(-MOST);
      if (this.filled) this.again ??= setTimeout(this.follow, AGAIN_MS);
      this.filled = true;
    },
    back() {
      if (this.filled) this.refresh();
      else this.turned(this.visible);
    },
    follow() {
      this.again = null;
      this.refresh();
    },
    otherwise(told) {
      this.other = told;
    },
  },
};
