// The editor of a configuration. The form is the contract's JSON; the service says what is wrong with it, and how it would feel.
import { Field, Table } from "emotional-ai-fields";
import { Lines } from "emotional-ai-lines";

const QUIET_MS = 250; // how long nothing is typed before the service is asked

export default {
  components: { Field, Table, Lines },
  template: `
    <details class="touch-part touch-more" @toggle="toggled">
      <summary><h2 id="touch-personality" class="panel-title">Personality</h2></summary>
      <p class="muted">What makes this session itself. The service checks it as you type; nothing is in force until it is saved.</p>
      <div v-if="conflict" class="touch-state frozen" role="alert">
        <span>The configuration was changed elsewhere meanwhile. Nothing of yours was saved.</span>
        <button type="button" class="plain" @click="take">Take what is in force</button>
        <button type="button" class="plain" @click="keep">Keep my edits</button>
      </div>
      <figure v-if="told" class="editor-preview"><figcaption class="muted">How it would decay, in simulated minutes. Strong, and first number: as edited; faint: in force.</figcaption>
        <Lines label="How praise and a threat would decay" :times="told.times" :unit="told.unit" :pictures="told.pictures"/></figure>

      <fieldset><legend>Where the chemicals rest</legend>
        <div class="touch-choices">
          <label><input type="radio" name="rest" :checked="!traited" @change="levelled"> Baseline levels</label>
          <label><input type="radio" name="rest" :checked="traited" @change="characterised"> Big Five traits</label>
        </div>
        <template v-if="traited">
          <label class="field"><span>Preset</span><select @change="preset" aria-label="Big Five preset">
            <option value="">choose one</option><option v-for="(of, name) in presets" :key="name" :value="name">{{ name }}</option></select></label>
          <Field v-for="one in traits" :key="one" slider :min="0" :max="1" unit="0 to 1" v-bind="field('dynamics.personality.' + one, one)" @set="set"/>
          <p class="muted numbers" v-if="rest">The baseline comes to {{ rest }}.</p>
        </template>
        <Field v-else v-for="one in names" :key="one" slider :min="0" :max="1" unit="level, 0 to 1" v-bind="field('dynamics.baseline.' + one, one)" @set="set"/>
        <p v-if="faults['dynamics.personality']" class="fault">{{ faults["dynamics.personality"] }}</p>
      </fieldset>

      <fieldset><legend>Half-lives</legend>
        <Field v-for="one in names" :key="one" unit="simulated minutes" v-bind="field('dynamics.half_life_minutes.' + one, one)" @set="set"/>
      </fieldset>

      <fieldset><legend>Couplings</legend>
        <p class="muted">Log-odds that a row's chemical feels for each unit a column's is off its baseline. Stable while each row's sum of sizes, the mood's pull included, is below 4.</p>
        <Table label="coupling" corner="acts on" :columns="names" :rows="matrix('coupling')" sums="sum" :faults="faults" @set="set"/>
      </fieldset>

      <fieldset><legend>Buffering</legend>
        <p class="muted">How much a column's chemical weakens pushes on a row's; at least 0, each row adding up to at most 0.5.</p>
        <Table label="buffering" corner="weakened" :columns="names" :rows="matrix('buffering')" sums="sum" :faults="faults" @set="set"/>
      </fieldset>

      <fieldset v-for="part in parts" :key="part.name"><legend><label><input type="checkbox" :checked="!!form.dynamics[part.name]"
          @change="turn(part.name, $event.target.checked)"> {{ part.title }}</label></legend>
        <p class="muted">{{ part.words }}</p>
        <template v-if="form.dynamics[part.name]">
          <template v-if="part.four"><Field v-for="one in names" :key="one" :unit="part.four_unit"
            v-bind="field('dynamics.' + part.name + '.' + part.four + '.' + one, part.four_name + ', ' + one)" @set="set"/></template>
          <Field v-for="one in part.fields" :key="one.name" :unit="one.unit" v-bind="field('dynamics.' + part.name + '.' + one.name, one.label)" @set="set"/>
        </template>
      </fieldset>

      <details class="touch-more"><summary>What each signal does, and how it speaks</summary>
        <fieldset><legend>Gains</legend>
          <p class="muted">Effect of a full-strength signal on each chemical, -10 to 10.</p>
          <Table label="gain" corner="signal" :columns="names" :rows="gains" :faults="faults" @set="set"/>
          <Field unit="simulated minutes" v-bind="field('dynamics.tau_u_minutes', 'time unit of held signals')" @set="set"/>
        </fieldset>
        <fieldset><legend>Way of speaking</legend>
          <label class="field"><span>temperature follows dopamine</span><select :value="form.expression.temperature_law" aria-label="temperature law"
            @change="set('expression.temperature_law', $event.target.value)"><option value="TEMPERATURE_LAW_MONOTONE">rising with it</option>
            <option value="TEMPERATURE_LAW_INVERTED_U">highest in the middle</option></select></label>
          <Field unit="at the baseline, 0.3 to 1.3" v-bind="field('expression.base_temperature', 'temperature')" @set="set"/>
          <Field unit="at the baseline, 0.6 to 0.98" v-bind="field('expression.base_top_p', 'top_p')" @set="set"/>
          <Field unit="lead another label needs, 0 to 0.9" v-bind="field('expression.label_hysteresis', 'label hysteresis')" @set="set"/>
        </fieldset>
      </details>

      <div class="editor-foot">
        <p role="status" :class="wrong.length ? 'fault' : 'muted'">{{ status }}</p>
        <ul v-if="wrong.length" class="fault"><li v-for="[path, words] in wrong" :key="path">{{ shown(path) }} {{ words }}</li></ul>
        <div class="touch-actions">
          <button type="button" class="main" :disabled="!ready" @click="save">Save</button>
          <button type="button" class="plain" :disabled="!dirty" @click="undo">Undo the edits</button>
          <button type="button" class="plain" @click="standard">Published defaults</button>
          <button type="button" class="plain" @click="$emit('to_file', form)">Save to a file</button>
          <button type="button" class="plain" @click="$refs.file.click()">Load from a file</button>
          <input ref="file" type="file" accept=".json,application/json" class="sr" tabindex="-1" aria-label="File of a configuration" @change="fromFile">
        </div>
        <p class="muted">Saving leaves the time scale as it is.</p>
      </div>
    </details>`,
  props: { chemicals: Array, traits: Array, presets: Object, published: Object, began: Object },
  data() {
    return {
      names: this.chemicals.map((one) => one.name),
      form: copy(this.began), base: JSON.stringify(this.began), number: 0, judged_number: 0, faults: {}, rested: {}, told: null,
      conflict: false, last: "", parts: PARTS,
    };
  },
  computed: {
    traited() {
      return !!this.form.dynamics.personality;
    },
    dirty() {
      return JSON.stringify(this.form) !== this.base;
    },
    wrong() {
      return Object.entries(this.faults);
    },
    ready() {
      return this.dirty && !this.conflict && !this.wrong.length && this.judged_number === this.number;
    },
    status() {
      if (this.wrong.length) return "This cannot be:";
      if (!this.dirty) return this.last || "As in force.";
      return this.judged_number === this.number ? "Stable: this can be saved." : "Checking.";
    },
    rest() {
      return this.names.filter((one) => one in this.rested).map((one) => `${one} ${this.rested[one].toFixed(2)}`).join(", ");
    },
    gains() {
      return this.form.dynamics.gains.map((row) => {
        const name = row.signal.replace("SIGNAL_", "").toLowerCase();
        return { name: name.replaceAll("_", " "), path: `dynamics.gains.${name}`, of: row.gain };
      });
    },
  },
  methods: {
    field(path, label) {
      return { path, label: label.replaceAll("_", " "), value: this.at(path), fault: this.faults[path] };
    },
    matrix(name) {
      const kappa = name === "coupling" ? this.form.dynamics.mood?.kappa : null;
      return this.names.map((one) => {
        const of = this.form.dynamics[name][one];
        const sum = this.names.reduce((total, other) => total + Math.abs(of[other] ?? 0), Math.abs(kappa?.[one] ?? 0));
        return { name: one, path: `dynamics.${name}.${one}`, of, sum: sum.toFixed(2) };
      });
    },
    at(path) {
      return path.split(".").reduce((part, name) => part?.[name], this.form);
    },
    set(path, value) {
      const names = path.split(".");
      const last = names.pop();
      let part = this.form;
      for (const name of names) part = Array.isArray(part) ? part.find((row) => row.signal === `SIGNAL_${name.toUpperCase()}`).gain : part[name];
      part[last] = value;
      this.changed();
    },
    turn(name, on) {
      if (on) this.form.dynamics[name] = copy(this.published.dynamics[name]);
      else delete this.form.dynamics[name];
      this.changed();
    },
    characterised() {
      delete this.form.dynamics.baseline;
      this.form.dynamics.personality = { ...this.presets.average };
      this.changed();
    },
    levelled() {
      const known = this.names.every((one) => one in this.rested) ? this.rested : JSON.parse(this.base).dynamics.baseline;
      delete this.form.dynamics.personality;
      this.form.dynamics.baseline = copy(known ?? this.published.dynamics.baseline);
      this.changed();
    },
    preset(event) {
      const of = this.presets[event.target.value];
      if (of) this.form.dynamics.personality = { ...of };
      this.changed();
    },
    standard() {
      const form = copy(this.published);
      for (const { name } of PARTS) delete form.dynamics[name];
      form.dynamics.time_scale = this.form.dynamics.time_scale;
      this.form = form;
      this.changed();
    },
    changed() {
      this.number += 1;
      clearTimeout(this.waiting);
      this.waiting = setTimeout(() => this.$emit("edited", this.number, this.form), QUIET_MS);
    },
    undo() {
      this.begin(JSON.parse(this.base));
      this.$emit("opened");
    },
    save() {
      this.$emit("save", this.form);
    },
    take() {
      this.$emit("taken");
    },
    keep() {
      this.conflict = false;
      this.$emit("kept");
    },
    toggled(event) {
      if (event.target === this.$el && event.target.open && !this.told) this.$emit("opened");
    },
    async fromFile(event) {
      const [file] = event.target.files;
      event.target.value = "";
      if (file) this.$emit("from_file", await file.text());
    },
    shown(path) {
      return path.replace(/^dynamics\./, "").replaceAll("_", " ").replaceAll(".", ", ") + ":";
    },
    // What the server calls.
    judged(number, faults, rest) {
      if (number !== this.number) return;
      this.judged_number = number;
      this.faults = faults;
      this.rested = rest;
    },
    foretold(told) {
      this.told = told;
    },
    begin(form) {
      clearTimeout(this.waiting);
      this.form = form;
      this.base = JSON.stringify(form);
      this.number += 1;
      this.judged_number = this.number;
      this.faults = {};
      this.conflict = false;
    },
    load(form) {
      form.dynamics.time_scale = this.form.dynamics.time_scale;
      this.form = form;
      this.changed();
    },
    elsewhere() {
      if (this.dirty) this.conflict = true;
      else this.$emit("taken");
    },
    said(words) {
      this.last = words;
    },
  },
};

const PARTS = [
  {
    name: "mood", title: "Slow mood", words: "A second, slower variable that drifts after each chemical.", four: "kappa", four_name: "pull",
    four_unit: "log-odds per unit", fields: [{ name: "tau_minutes", label: "time constant", unit: "simulated minutes" }],
  },
  {
    name: "circadian", title: "Daily rhythm", words: "The set point follows the hour of the day.", four: "amplitude", four_name: "amplitude",
    four_unit: "log-odds, -5 to 5",
    fields: [
      { name: "peak_hour", label: "peak", unit: "hour of the day, 0 to 24" },
      { name: "utc_offset_hours", label: "local time ahead of UTC", unit: "hours, -12 to 14" },
    ],
  },
  {
    name: "habituation", title: "Habituation", words: "A repeated signal counts less.",
    fields: [
      { name: "eta", label: "largest loss of strength", unit: "0 to 1" },
      { name: "rho", label: "share habituated by one occurrence", unit: "0 to 1" },
      { name: "tau_minutes", label: "recovery", unit: "simulated minutes" },
    ],
  },
];

function copy(what) {
  return JSON.parse(JSON.stringify(what));
}
