// A job as it goes: how far it is, and a curve for each metric. The reports stay here; the server sends those that are new.
import { left } from "emotional-ai-kept";
import { Curve } from "./curve.js";

const FIRST = ["loss", "held_out_loss", "reward"];
const LAST = ["learning_rate", "tokens"];
const TABLED = 10; // reports shown as numbers

export const Going = {
  components: { Curve },
  template: `
    <div class="going" v-if="latest">
      <div class="kept-row numbers">
        <b>{{ latest.stage }}</b><span>step {{ latest.step }} of {{ latest.total }}</span>
        <span v-if="job?.under_way && remaining" class="muted">{{ remaining }}</span>
      </div>
      <div class="going-bar" role="progressbar" :aria-label="'Progress of ' + latest.stage" aria-valuemin="0" :aria-valuemax="latest.total"
        :aria-valuenow="latest.step" :aria-valuetext="latest.step + ' of ' + latest.total"><span :style="{ width: share + '%' }"></span></div>
      <ol class="stages" aria-label="Stages so far" v-if="stages.length > 1">
        <li v-for="(one, index) in stages" :key="one.from">{{ index + 1 }}&ensp;<i :style="{ background: one.colour }" aria-hidden="true"></i>{{ one.name }}</li></ol>
      <p class="kept-hint">Each curve goes over the reports of the job, one a step{{ stages.length > 1 ? "; numbers mark where its stages begin" : "" }}.</p>
      <div class="curves-of-job">
        <Curve v-for="name in names" :key="name" :name="name" :points="series[name]" :stages="stages" :beat="beat"/>
      </div>
      <details><summary>Last reports as numbers</summary>
        <div class="kept-scroll" tabindex="0" role="region" aria-label="Newest reports"><table class="going-table numbers">
          <caption class="sr">Newest reports</caption>
          <thead><tr><th scope="col">Stage</th><th scope="col">Step</th><th scope="col" v-for="name in names" :key="name">{{ name }}</th></tr></thead>
          <tbody><tr v-for="one in tabled" :key="one.sequence"><td>{{ one.stage }}</td><td>{{ one.step }}</td>
            <td v-for="name in names" :key="name">{{ number(one.metrics[name]) }}</td></tr></tbody>
        </table></div></details>
    </div>
    <p v-else class="muted">{{ job?.status === "queued" ? "It waits for its turn: one job runs at a time." : "No report yet." }}</p>`,
  props: { job: Object, colours: Object, others: Array },
  data() {
    return { latest: null, names: [], stages: [], tabled: [], beat: 0 };
  },
  computed: {
    share() {
      return this.latest.total ? Math.min((100 * this.latest.step) / this.latest.total, 100) : 0;
    },
    remaining() {
      return left(this.latest.left);
    },
  },
  created() {
    this.series = {}; // by metric: { x, value, stage }, x being the number of the report; kept out of Vue's sight, it may be long
  },
  methods: {
    add(reports) {
      for (const one of reports) this.take(one);
      this.latest = reports.at(-1);
      this.tabled = [...this.tabled, ...reports].slice(-TABLED);
      this.beat += 1;
    },
    take(report) {
      if (this.stages.at(-1)?.name !== report.stage) this.enter(report);
      for (const [name, value] of Object.entries(report.metrics)) {
        if (!this.series[name]) {
          this.series[name] = [];
          this.names = [...this.names, name].sort((one, other) => rank(one) - rank(other) || one.localeCompare(other));
        }
        this.series[name].push({ x: report.sequence, value, stage: this.stages.length - 1, step: report.step });
      }
    },
    enter(report) {
      const known = this.stages.find((one) => one.name === report.stage);
      const distinct = new Set(this.stages.map((one) => one.name)).size;
      const colour = known?.colour ?? this.colours[report.stage] ?? this.others[distinct % this.others.length];
      this.stages = [...this.stages, { name: report.stage, from: report.sequence, colour }];
    },
    number(value) {
      return value === undefined || value === null ? "–" : Number(value.toPrecision(4)).toString();
    },
  },
};

function rank(name) {
  if (FIRST.includes(name)) return FIRST.indexOf(name);
  return LAST.includes(name) ? 100 + LAST.indexOf(name) : 50;
}
