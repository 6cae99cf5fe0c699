// The editor of a configuration. The form is the contract's JSON; the service says what is wrong with it, and how it would feel.
import { Field, Rest, SWITCHES, Switched, Table, at, copy, put } from "emotional-ai-fields";
import { Lines } from "emotional-ai-lines";
import { words } from "emotional-ai-written";

const QUIET_MS = 250; // how long nothing is typed before the service is asked
const LONGEST = 100000; // characters of a file that are read; no configuration has as many

export default {
  components: { Field, Table, Rest, Switched, Lines },
  template: `
    <details class="touch-part touch-more" @toggle="toggled">
      <summary><h2 class="panel-title">Personality</h2></summary>
      <p class="muted">What makes this session itself. The service checks it as you type; nothing is in force until it is saved.</p>
      <div v-if="conflict" class="touch-state frozen" role="alert">
        <span>The configuration was changed elsewhere meanwhile. Nothing of yours was saved.</span>
        <button type="button" class="plain" @click="$emit('taken', number)">Take what is in force</button>
        <button type="button" class="plain" @click="keep">Keep my edits</button>
      </div>
      <div class="touch-actions">
        <button type="button" class="plain" @click="standard">Published defaults</button>
        <button type="button" class="plain" @click="$emit('to_file', form)">Save to a file</button>
        <button type="button" class="plain" @click="$refs.file.click()">Load from a file</button>
        <input ref="file" type="file" accept=".json,application/json" class="sr" tabindex="-1" aria-label="File of a configuration" @change="fromFile">
      </div>
      <figure v-if="told" class="editor-preview"><figcaption class="muted">How it would decay. Strong, and first number: as edited; faint: in force.</figcaption>
        <Lines label="How praise and a threat would decay" :times="told.times" :unit="told.unit" :pictures="told.pictures"/></figure>

      <Rest :form="form" :names="names" :traits="traits" :presets="presets" :faults="faults" :rested="rested"
        @set="set" @levelled="levelled" @traited="characterised"/>
      <fieldset><legend>Half-lives</legend>
        <Field v-for="one in names" :key="one" unit="simulated minutes" v-bind="field('dynamics.half_life_minutes.' + one, one)" @set="set"/>
      </fieldset>
      <fieldset><legend>Couplings</legend>
        <p class="muted">How one chemical pushes another. Log-odds that a row's chemical feels for each unit a column's is off its baseline. Stable while each row's sum of sizes, the mood's pull included, is below 4.</p>
        <Table label="coupling" corner="acts on" :columns="names" :rows="matrix('coupling')" sums="sum" :faults="faults" @set="set"/>
      </fieldset>
      <fieldset><legend>Buffering</legend>
        <p class="muted">How one chemical softens what happens to another. How much a column's chemical weakens pushes on a row's; at least 0, each row adding up to at most 0.5.</p>
        <Table label="buffering" corner="weakened" :columns="names" :rows="matrix('buffering')" sums="sum" :faults="faults" @set="set"/>
      </fieldset>
      <Switched v-for="of in switches" :key="of.name" :of="of" :form="form" :names="names" :faults="faults" @set="set" @turn="turn"/>
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
          <Field unit="0 to 0.9" v-bind="field('expression.label_hysteresis', 'label hysteresis')" @set="set"/>
          <p class="muted">How far another label must be ahead before it takes over, so that the label does not flicker between two.</p>
        </fieldset>
        <fieldset><legend>How much of it shows</legend>
          <Field slider :min="0" :max="1" unit="0 to 1" v-bind="field('expression.intensity', 'intensity')" @set="set"/>
          <p class="muted">How much of what is felt is expressed; at 0 it speaks as at rest. No level is expressed above its cap.</p>
          <Field v-for="one in names" :key="one" unit="cap, from the baseline to 1" v-bind="field('expression.caps.' + one, one)" @set="set"/>
        </fieldset>
      </details>

      <div class="editor-foot">
        <p role="status" :class="wrong.length ? 'fault' : 'muted'">{{ status }}</p>
        <ul v-if="wrong.length" class="fault"><li v-for="[path, words] in wrong" :key="path">{{ shown(path) }} {{ words }}</li></ul>
        <div class="touch-actions">
          <button type="button" class="main" :disabled="!ready" @click="$emit('save', number, form)">Save</button>
          <button type="button" class="plain" :disabled="!dirty" @click="undo">Undo the edits</button>
          <span class="muted">The time scale stays as it is.</span>
        </div>
      </div>
    </details>`,
  props: { names: Array, traits: Array, presets: Object, published: Object, began: Object },
  data() {
    return {
      form: copy(this.began), base: JSON.stringify(this.began), // as edited; as it began
      number: 0, judged_number: 0, unjudged_number: -1, faults: {}, rested: {}, told: null, // edits so far, the one answered, the answer
      conflict: false, last: "", switches: SWITCHES,
    };
  },
  computed: {
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
      if (this.unjudged_number === this.number) return "Not checked: the service did not answer. Edit again once it does.";
      if (this.wrong.length) return "This cannot be:";
      if (!this.dirty) return this.last || "As in force.";
      return this.judged_number === this.number ? "Stable: this can be saved." : "Checking.";
    },
    gains() {
      return this.form.dynamics.gains.map((row) => {
        const name = row.signal.replace("SIGNAL_", "").toLowerCase();
        return { name: words(name), path: `dynamics.gains.${name}`, of: row.gain };
      });
    },
  },
  beforeUnmount() {
    clearTimeout(this.waiting);
  },
  methods: {
    field(path, label) {
      return { path, label, value: at(this.form, path), fault: this.faults[path] };
    },
    matrix(name) {
      const kappa = name === "coupling" ? this.form.dynamics.mood?.kappa : null;
      return this.names.map((one) => {
        const of = this.form.dynamics[name][one];
        const sum = this.names.reduce((total, other) => total + Math.abs(of[other] ?? 0), Math.abs(kappa?.[one] ?? 0));
        return { name: one, path: `dynamics.${name}.${one}`, of, sum: sum.toFixed(2) };
      });
    },
    shown(path) {
      return path.replace(/^dynamics\./, "").replaceAll("_", " ").replaceAll(".", ", ") + ":";
    },
    // What a visitor does.
    set(path, value) {
      put(this.form, path, value);
      this.changed();
    },
    turn(name, on) {
      if (on) this.form.dynamics[name] = copy(this.published.dynamics[name]);
      else delete this.form.dynamics[name];
      this.changed();
    },
    characterised(traits) {
      delete this.form.dynamics.baseline;
      this.form.dynamics.personality = { ...traits };
      this.changed();
    },
    levelled() {
      const known = this.names.every((one) => one in this.rested) ? this.rested : JSON.parse(this.base).dynamics.baseline;
      delete this.form.dynamics.personality;
      this.form.dynamics.baseline = copy(known ?? this.published.dynamics.baseline);
      this.changed();
    },
    standard() {
      const form = copy(this.published);
      for (const { name } of SWITCHES) delete form.dynamics[name];
      this.load(form);
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
    keep() {
      this.conflict = false;
      this.$emit("kept");
    },
    toggled(event) {
      if (event.target.open && !this.told) this.$emit("opened");
    },
    async fromFile(event) {
      const text = await event.target.files[0]?.text();
      event.target.value = "";
      if (text !== undefined) this.$emit("from_file", text.slice(0, LONGEST));
    },
    // What the server calls.
    judged(number, faults, rest) {
      if (number !== this.number) return;
      this.judged_number = number;
      this.faults = faults;
      this.rested = rest;
    },
    unjudged(number) {
      this.unjudged_number = number;
    },
    foretold(told) {
      this.told = told;
    },
    // An answer to what was sent at edit `number`: what was typed since stays.
    saved(number, form) {
      if (number === this.number) this.begin(form);
      else this.rebase(form);
      this.last = "Saved; in force from now on.";
    },
    took(number, form) {
      if (number === this.number) this.begin(form);
      else {
        this.rebase(form);
        this.conflict = true;
      }
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
    rebase(form) {
      this.base = JSON.stringify(form);
    },
    elsewhere() {
      if (this.dirty) this.conflict = true;
      else this.$emit("taken", this.number);
    },
  },
};
