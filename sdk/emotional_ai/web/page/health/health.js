// The room `health`.
import { Looked } from "emotional-ai-kept";

const MARKS = { up: "✓", "not ready": "…", off: "○", down: "✕" };

export default {
  mixins: [Looked],
  template: `
    <div class="kept">
      <p v-if="outdated" class="kept-late" role="status">{{ outdated }}</p>
      <section class="card kept" aria-labelledby="parts-title">
        <h2 id="parts-title">What answers</h2>
        <table class="kept-table" v-if="parts.length">
          <caption class="sr">Parts of the service</caption>
          <thead><tr><th scope="col">Part</th><th scope="col">State</th><th scope="col">Answers in</th><th scope="col">About it</th></tr></thead>
          <tbody><tr v-for="one in parts" :key="one.name">
            <td data-name="Part" class="still">{{ one.name }}</td>
            <td data-name="State" class="still"><span><span aria-hidden="true">{{ marks[one.standing] }}</span> {{ one.standing }}</span></td>
            <td data-name="Answers in" class="numbers still">{{ took(one.milliseconds) }}</td>
            <td data-name="About it">{{ one.words }}</td>
          </tr></tbody>
        </table>
        <p class="muted">{{ parts.length ? "The time is that of a small call, as this page waits for it: the median of the last 20." : "..." }}</p>
      </section>
      <section class="card kept" aria-labelledby="counts-title">
        <h2 id="counts-title">What there is</h2>
        <dl class="kept-facts">
          <dt>Sessions</dt><dd class="numbers">{{ counts ? counts.sessions.toLocaleString("en") : "..." }} <a href="/sessions" v-if="counts">see them</a></dd>
          <dt>Training</dt><dd class="numbers">{{ counts ? counts.running + " running, " + counts.queued + " queued" : "..." }}
            <a href="/training" v-if="counts">see them</a></dd>
          <dt>Replies</dt><dd class="numbers">{{ busy ? busy.replies : "..." }}</dd>
          <dt>Texts appraised</dt><dd class="numbers">{{ busy ? busy.texts : "..." }}</dd>
        </dl>
        <p class="muted">Every text that reached the service since it started is counted, wherever it was said.</p>
      </section>
    </div>`,
  data() {
    return { parts: [], counts: null, busy: null, marks: MARKS };
  },
  methods: {
    // What the server calls.
    fill(parts) {
      this.parts = parts;
      this.known = true;
    },
    count(counts) {
      this.counts = counts;
    },
    carry(busy) {
      this.busy = busy;
    },
    took(milliseconds) {
      if (milliseconds === null) return "–";
      return `${milliseconds < 10 ? milliseconds.toFixed(1) : milliseconds.toFixed(0)} ms`;
    },
  },
};
