// The room `training`: a form, the jobs, and one of them as it goes. Which one is kept in the address, so that a reload, or
// somebody who is sent it, sees the same.
import { Ask, Looked, ago, exactly } from "emotional-ai-kept";
import { Going, Order } from "emotional-ai-training";

export default {
  components: { Ask, Going, Order },
  mixins: [Looked],
  template: `
    <div class="kept">
      <p v-if="outdated" class="kept-late" role="status">{{ outdated }}</p>
      <Order ref="order" :recipes="recipes" :ranks="ranks" :fields="fields" @ordered="(given) => $emit('started', given)"/>
      <p role="status" v-show="said">{{ said }}</p>
      <section class="card kept" aria-labelledby="jobs-title">
        <h2 id="jobs-title">Jobs</h2>
        <table class="kept-table" v-if="jobs.length">
          <caption class="sr">Jobs, newest first</caption>
          <thead><tr><th scope="col">Job</th><th scope="col">Recipe</th><th scope="col">Status</th><th scope="col">Progress</th>
            <th scope="col">Started</th></tr></thead>
          <tbody><tr v-for="one in jobs" :key="one.id" :class="{ 'job-shown': one.id === shown }">
            <td data-name="Job"><button type="button" class="job-name" :aria-pressed="one.id === shown" @click="choose(one.id)">{{ one.id }}</button></td>
            <td data-name="Recipe">{{ one.recipe }}</td>
            <td data-name="Status"><span :class="['job-status', 'job-' + one.status]">{{ one.status }}</span></td>
            <td data-name="Progress" class="numbers">{{ one.total ? one.stage + " " + one.step + "/" + one.total : "–" }}</td>
            <td data-name="Started"><span :title="exactly(one.created)">{{ ago(one.created, now) }}</span></td>
          </tr></tbody>
        </table>
        <p class="muted" v-else>{{ known ? "No training was started yet." : "..." }}</p>
        <div v-if="more"><button type="button" class="kept-button small" @click="$emit('more')">Show older jobs</button></div>
      </section>
      <section class="card kept" aria-labelledby="job-title" v-if="shown">
        <div class="kept-row">
          <h2 id="job-title" class="grow">{{ shown }}</h2>
          <template v-if="job">
            <span :class="['job-status', 'job-' + job.status]" role="status">{{ job.status }}</span>
            <button type="button" v-if="job.under_way" class="kept-button" @click="$refs.stop.open()">Cancel</button>
            <button type="button" v-if="job.resumable" class="kept-button main" @click="$refs.resume.open()">Resume</button>
          </template>
        </div>
        <p v-if="absent">{{ absent }}</p>
        <p v-if="details?.error" class="kept-late job-error" role="alert">{{ details.error }}</p>
        <p v-if="details?.adapters.length">Published: {{ details.adapters.join(", ") }}. See <a href="/adapters">Adapters</a>.</p>
        <Going v-show="!absent" ref="going" :key="shown" :job="job" :colours="colours" :others="others"/>
        <details v-if="details" class="job-settings"><summary>Settings</summary>
          <dl class="kept-facts"><template v-for="(fact, name) in details.facts" :key="name"><dt>{{ name }}</dt><dd>{{ fact }}</dd></template></dl>
        </details>
      </section>
      <Ask ref="stop" :title="'Cancel ' + shown + '?'" back="Keep it running" forth="Cancel the job" grave
        @agreed="$emit('stopped', shown)"><p>It stops at its next step, and can be resumed from there.</p></Ask>
      <Ask ref="resume" :title="'Resume ' + shown + '?'" back="Back" forth="Resume" @agreed="$emit('resumed', { id: shown, cost })">
        <p>It goes on from its last state, as it was set.</p>
        <label for="resume-cost">Largest cost in US dollars</label>
        <input id="resume-cost" type="text" inputmode="decimal" v-model="cost" aria-describedby="resume-hint">
        <span id="resume-hint" class="kept-hint">0 to 1000000; 0 or empty: local runs only</span>
      </Ask>
    </div>`,
  props: { recipes: Array, ranks: Array, fields: Array, colours: Object, others: Array },
  emits: ["started", "stopped", "resumed", "chosen", "more"],
  data() {
    return { jobs: [], more: false, shown: "", details: null, absent: "", said: "", cost: "" };
  },
  computed: {
    job() {
      return this.details?.id === this.shown ? this.details.job : null;
    },
  },
  mounted() {
    addEventListener("hashchange", this.addressed);
    this.addressed();
  },
  beforeUnmount() {
    removeEventListener("hashchange", this.addressed);
  },
  methods: {
    ago,
    exactly,
    // What the server calls.
    list({ jobs, more }) {
      Object.assign(this, { jobs, more, known: true, now: Date.now() });
      if (!this.shown && jobs.length) this.look_at((jobs.find((one) => one.under_way) ?? jobs[0]).id);
    },
    describe(details) {
      if (details.id !== this.shown) return;
      if (this.job?.under_way && !details.job.under_way) this.said = "";
      Object.assign(this, { details, absent: "" });
    },
    missing({ id, words }) {
      if (id === this.shown) this.absent = words;
    },
    add(news) {
      if (news.id === this.shown) this.$refs.going.add(news.reports);
    },
    begun(id) {
      this.$refs.order.done();
      this.said = `Started ${id}.`;
      this.choose(id);
    },
    refused(what) {
      this.$refs.order.refuse(what);
    },
    told(words) {
      this.said = words;
    },
    // What a visitor does.
    choose(id) {
      history.replaceState(history.state, "", "#" + encodeURIComponent(id));
      this.look_at(id);
    },
    addressed() {
      const id = named(location.hash.slice(1));
      if (id && id !== "main") this.look_at(id); // main is where the link past the navigation leads
    },
    look_at(id) {
      if (id === this.shown) return;
      Object.assign(this, { shown: id, details: null, absent: "" });
      this.$emit("chosen", id);
    },
  },
};

function named(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return "";
  }
}
