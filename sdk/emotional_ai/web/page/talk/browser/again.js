// The choice of another state, and of a seed, for a reply that is said again.
import { two, words } from "./voices.js";

export default {
  template: `
    <dialog ref="dialog" class="again" aria-labelledby="again-title" @close="turn = null">
      <form v-if="turn" method="dialog" @submit.prevent="say">
        <h3 id="again-title">Say this again in another state</h3>
        <p class="muted">The same words and the same conversation before them; the session itself does not move.</p>
        <fieldset><legend>State</legend>
          <p v-if="!states" class="muted">Asking for the states...</p>
          <p v-if="failure" class="failure" role="alert">The states could not be asked for ({{ failure }}); levels
            can be set all the same.</p>
          <label v-for="one in states" :key="one.name" class="state-choice"><input type="radio" name="state" :value="one.name"
            v-model="name"><i :style="{ background: one.colour }"></i>{{ words(one.name) }}</label>
          <label class="state-choice"><input type="radio" name="state" value="" v-model="name"><i class="own"></i>levels
            of your own</label>
        </fieldset>
        <div class="sliders"><label v-for="one in chemicals" :key="one.name"><span><i class="chemical"
          :style="{ '--light': one.colour, '--dark': one.on_dark }"></i>{{
          one.name }}</span><input type="range" min="0" max="1" step="0.01" :aria-label="one.name" :value="levels[one.name]"
          @input="set(one.name, $event)"><output class="numbers">{{ two(levels[one.name]) }}</output></label></div>
        <label class="seed-again">Seed of the reply
          <input type="text" inputmode="numeric" v-model="seed" autocomplete="off"></label>
        <div class="dialog-does"><button type="submit" class="primary">Say it</button>
          <button type="button" @click="$refs.dialog.close()">Cancel</button></div>
      </form>
    </dialog>`,
  props: { chemicals: Array },
  emits: ["states", "again"],
  data() {
    return { turn: null, states: null, failure: "", name: "", levels: {}, seed: "" };
  },
  watch: {
    name() {
      const state = this.states?.find((one) => one.name === this.name);
      if (state) this.levels = { ...state.levels };
    },
  },
  methods: {
    two,
    words,
    open(turn) {
      const { levels, seed } = turn.replies[0].spoken;
      Object.assign(this, { turn, states: null, failure: "", name: "", levels: { ...levels }, seed });
      this.$emit("states");
      this.$refs.dialog.showModal();
    },
    choose(states, failure) {
      Object.assign(this, { states, failure });
    },
    set(name, event) {
      this.name = "";
      this.levels[name] = Number(event.target.value);
    },
    say() {
      const { turn, name, levels, seed } = this;
      this.$refs.dialog.close(); // first: it gives the focus back
      this.$emit("again", { number: turn.number, name, levels: { ...levels }, seed, max_tokens: turn.max_tokens });
    },
  },
};
