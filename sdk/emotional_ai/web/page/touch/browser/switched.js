// What can be switched on: slow mood, daily rhythm, habituation.
import { Field } from "./fields.js";
import { at } from "./form.js";

export const SWITCHES = [
  {
    name: "mood", title: "Slow mood", words: "A second, slower variable that drifts after each chemical.",
    four: { name: "kappa", label: "pull", unit: "log-odds per unit" },
    fields: [{ name: "tau_minutes", label: "time constant", unit: "simulated minutes" }],
  },
  {
    name: "circadian", title: "Daily rhythm", words: "The set point follows the hour of the day.",
    four: { name: "amplitude", label: "amplitude", unit: "log-odds, -5 to 5" },
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

export const Switched = {
  components: { Field },
  template: `
    <fieldset><legend><label><input type="checkbox" :checked="on" @change="$emit('turn', of.name, $event.target.checked)"> {{ of.title }}</label></legend>
      <p class="muted">{{ of.words }}</p>
      <template v-if="on"><Field v-for="one in shown" :key="one.path" :path="one.path" :label="one.label" :unit="one.unit"
        :value="value(one.path)" :fault="faults[one.path]" @set="(...given) => $emit('set', ...given)"/></template>
    </fieldset>`,
  props: { of: Object, form: Object, names: Array, faults: Object },
  emits: ["set", "turn"],
  computed: {
    on() {
      return !!this.form.dynamics[this.of.name];
    },
    shown() {
      const path = `dynamics.${this.of.name}`;
      const { four, fields } = this.of;
      const vector = four ? this.names.map((one) => ({ path: `${path}.${four.name}.${one}`, label: `${four.label}, ${one}`, unit: four.unit })) : [];
      return [...vector, ...fields.map((one) => ({ ...one, path: `${path}.${one.name}` }))];
    },
  },
  methods: {
    value(path) {
      return at(this.form, path);
    },
  },
};
