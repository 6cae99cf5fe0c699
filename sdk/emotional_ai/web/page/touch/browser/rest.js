// Where the chemicals rest: levels, or traits that come to some.
import { Field } from "./fields.js";
import { at } from "./form.js";

export const Rest = {
  components: { Field },
  template: `
    <fieldset><legend>Where the chemicals rest</legend>
      <div class="touch-choices">
        <label><input type="radio" name="rest" :checked="!traited" @change="$emit('levelled')"> Baseline levels</label>
        <label><input type="radio" name="rest" :checked="traited" @change="$emit('traited', presets.average)"> Big Five traits</label>
      </div>
      <label v-if="traited" class="field"><span>Preset</span><select aria-label="Big Five preset" @change="choose">
        <option value="">choose one</option><option v-for="(of, name) in presets" :key="name" :value="name">{{ name }}</option></select></label>
      <Field v-for="one in shown" :key="one.path" slider :min="0" :max="1" :unit="traited ? '0 to 1' : 'level, 0 to 1'" :path="one.path"
        :label="one.name" :value="one.value" :fault="faults[one.path]" @set="(...given) => $emit('set', ...given)"/>
      <p v-if="traited && comes_to" class="muted numbers">The baseline comes to {{ comes_to }}.</p>
      <p v-if="faults['dynamics.personality']" class="fault">{{ faults["dynamics.personality"] }}</p>
    </fieldset>`,
  // `rested` is the baseline the service last said a configuration comes to.
  props: { form: Object, names: Array, traits: Array, presets: Object, faults: Object, rested: Object },
  emits: ["set", "levelled", "traited"],
  computed: {
    traited() {
      return !!this.form.dynamics.personality;
    },
    shown() {
      const of = this.traited ? "dynamics.personality" : "dynamics.baseline";
      return (this.traited ? this.traits : this.names).map((name) => ({ name, path: `${of}.${name}`, value: at(this.form, `${of}.${name}`) }));
    },
    comes_to() {
      return this.names.filter((one) => one in this.rested).map((one) => `${one} ${this.rested[one].toFixed(2)}`).join(", ");
    },
  },
  methods: {
    choose(event) {
      const of = this.presets[event.target.value];
      if (of) this.$emit("traited", of);
    },
  },
};
