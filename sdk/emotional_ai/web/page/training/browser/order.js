// The form that starts a training. Every field says what is allowed; what is refused is said under it.
import { Waiting } from "emotional-ai-kept";

export const Order = {
  mixins: [Waiting],
  template: `
    <details class="card" :open="open" @toggle="open = $event.target.open">
      <summary class="order-title">Start a training</summary>
      <form class="order" @submit.prevent="send" novalidate>
        <div class="order-field">
          <label for="order-recipe">Recipe</label>
          <select id="order-recipe" v-model="given.recipe" aria-describedby="order-recipe-hint order-recipe-wrong" :aria-invalid="!!wrong.recipe">
            <option v-for="one in recipes" :key="one.name" :value="one.name">{{ one.name }}</option></select>
          <span class="kept-hint" id="order-recipe-hint">{{ meaning }}</span>
          <span class="kept-wrong" id="order-recipe-wrong">{{ wrong.recipe }}</span>
        </div>
        <div class="order-field">
          <label for="order-lora_rank">Rank</label>
          <select id="order-lora_rank" v-model="given.lora_rank" aria-describedby="order-lora_rank-hint order-lora_rank-wrong" :aria-invalid="!!wrong.lora_rank">
            <option v-for="one in ranks" :key="one.name" :value="one.usual ? '' : one.name">{{ one.name }}{{ one.usual ? " (default)" : "" }}</option></select>
          <span class="kept-hint" id="order-lora_rank-hint">a power of two, 1 to 128</span>
          <span class="kept-wrong" id="order-lora_rank-wrong">{{ wrong.lora_rank }}</span>
        </div>
        <div class="order-field" v-for="one in fields" :key="one.name">
          <label :for="'order-' + one.name">{{ one.title }}</label>
          <input type="text" :id="'order-' + one.name" v-model="given[one.name]" autocomplete="off" spellcheck="false"
            :aria-describedby="'order-' + one.name + '-hint order-' + one.name + '-wrong'" :aria-invalid="!!wrong[one.name]">
          <span class="kept-hint" :id="'order-' + one.name + '-hint'">{{ one.allowed }}</span>
          <span class="kept-wrong" :id="'order-' + one.name + '-wrong'">{{ wrong[one.name] }}</span>
        </div>
        <p class="kept-wrong order-words" role="alert">{{ words }}</p>
        <div class="order-send"><button type="submit" class="kept-button main" :disabled="waiting">Start</button>
          <span class="kept-hint">It runs at the service, whatever becomes of this page.</span></div>
      </form>
    </details>`,
  props: { recipes: Array, ranks: Array, fields: Array },
  emits: ["ordered"],
  data() {
    return { open: false, given: this.empty(), wrong: {}, words: "" };
  },
  computed: {
    meaning() {
      return this.recipes.find((one) => one.name === this.given.recipe)?.means;
    },
  },
  methods: {
    empty() {
      const written = Object.fromEntries(this.fields.map((one) => [one.name, ""]));
      return { recipe: this.recipes[0].name, lora_rank: "", ...written };
    },
    send() {
      if (this.waiting) return;
      this.wait(() => (this.words = "No answer came; the list below shows whether it was started."));
      Object.assign(this, { wrong: {}, words: "" });
      this.$emit("ordered", { ...this.given });
    },
    refuse({ fields, words }) {
      const first = Object.keys(this.given).find((name) => fields[name]);
      this.answered();
      Object.assign(this, { wrong: fields, words });
      if (!first) return;
      this.words ||= "Not started: see what is said under the fields.";
      this.$nextTick(() => document.getElementById("order-" + first)?.focus());
    },
    done() {
      this.answered();
      Object.assign(this, { wrong: {}, words: "" });
      this.open = false;
    },
  },
};
