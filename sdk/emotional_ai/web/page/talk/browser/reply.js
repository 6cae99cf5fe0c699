// One reply: its text, tinted where the blend moved, and what it was spoken in.
import { signed } from "emotional-ai-written";
import { bands, blendWords, shares, tint, two, voiceWords, words } from "./voices.js";

const FEW = 4; // voices that are told without being asked for
const REASONS = { length: "it had said as many tokens as it may", stop: "it had said all" };

export default {
  template: `
    <section class="reply" :data-key="reply.key" :data-outcome="reply.outcome" :aria-label="name">
      <h4 v-if="named" class="reply-in">{{ named }}</h4>
      <p v-for="line in spoken?.disclosed" :key="line" class="disclosed" role="note">{{ line }}</p>
      <p v-if="speaking || reply.parts.length" class="said" :aria-busy="speaking"><span
        v-for="(part, index) in reply.parts" :key="index" :class="{ tinted: moved }" :style="moved ? tints[part[0]] : null"
        :title="moved ? told(part[0]) : null" :data-mark="moved ? mark(index) : null">{{ part[1] }}</span><i
        v-if="speaking" class="caret" aria-hidden="true"></i></p>
      <p v-if="reply.outcome === 'stopped'" class="muted ending">Stopped {{
        reply.parts.length ? "here" : "before a word" }}.</p>
      <p v-if="reply.outcome === 'failed'" class="failure" role="alert">{{
        reply.parts.length ? "The reply broke off" : "There is no reply" }}: {{ reply.failure }}</p>
      <template v-if="spoken">
        <svg v-if="voices.length" class="strip" :class="{ moved }" viewBox="0 0 100 1" preserveAspectRatio="none" role="img"
          :aria-label="'Blend: ' + strip"><rect v-for="(one, index) in picture" :key="index" :x="one.x" :y="one.y"
          :width="one.width" :height="one.height" :fill="one.colour"/></svg>
        <details v-if="moved" class="more" :open="few">
          <summary>The blend moved {{ times }} while it spoke</summary>
          <ol class="moves" aria-label="How the blend moved"><li v-for="(voice, index) in reply.voices" :key="index">{{
            told(index) }}</li></ol></details>
        <p class="spoken numbers"><b>{{ label }}</b><span v-for="one in chemicals" :key="one.name"><i class="chemical"
          :style="{ '--light': one.colour, '--dark': one.on_dark }"></i>{{ one.name }} {{ two(spoken.levels[one.name]) }}</span><span>temperature {{
          two(spoken.temperature) }}</span><span>top_p {{ two(spoken.top_p) }}</span><span>seed {{ spoken.seed }}</span><span
          v-if="!moved">blend: {{ first }}</span></p>
        <details class="more"><summary>More about this reply</summary><dl class="numbers">
          <template v-for="[what, value] in more" :key="what"><dt>{{ what }}</dt><dd>{{ value }}</dd></template></dl></details>
      </template>
    </section>`,
  props: { reply: Object, number: Number, several: Boolean, chemicals: Array },
  computed: {
    speaking() {
      return this.reply.outcome === "speaking";
    },
    spoken() {
      return this.reply.spoken;
    },
    voices() {
      return this.reply.voices.filter((voice) => voice.blend.length);
    },
    moved() {
      return this.voices.length > 1;
    },
    few() {
      return this.voices.length <= FEW;
    },
    times() {
      return this.voices.length === 2 ? "once" : `${this.voices.length - 1} times`;
    },
    tints() {
      return this.reply.voices.map(tint);
    },
    named() {
      if (this.reply.supposed === null) return this.several ? "In the state it was in" : "";
      return this.reply.supposed ? "As " + words(this.reply.supposed) : "In levels of your own";
    },
    name() {
      return `Reply ${this.number}${this.named ? ", " + this.named.toLowerCase() : ""}`;
    },
    label() {
      return words(this.spoken.label);
    },
    first() {
      return blendWords(this.reply.voices[0]);
    },
    strip() {
      return this.moved ? this.voices.map(voiceWords).join("; ") : this.first;
    },
    // A blend that stays is shown along the line, one that moves over the tokens.
    picture() {
      if (this.moved) return bands(this.voices, Math.max(this.reply.tokens, 1));
      let x = 0;
      return shares(this.voices[0]).map(([, share, colour]) => {
        const rectangle = { x, y: 0, width: 100 * share, height: 1, colour };
        x += 100 * share;
        return rectangle;
      });
    },
    more() {
      const { spoken, reply } = this;
      const rows = Object.entries(spoken.levels).map(([name, level]) => [name, level.toFixed(3)]);
      rows.push(["valence", signed(spoken.valence)], ["arousal", signed(spoken.arousal)]);
      if (spoken.intensity < 1) rows.push(["expressed of what is felt", two(spoken.intensity)]);
      if (spoken.flags.length) rows.push(["flagged by the guard", spoken.flags.join(", ")]);
      rows.push(["blend at first", this.first], ["told to the model", spoken.told || "nothing"], ["seed", spoken.seed]);
      if (!reply.ended) return rows;
      const { tokens, prompt_tokens, seconds, reason, model, mode } = reply.ended;
      rows.push(["tokens", `${tokens}, after ${prompt_tokens} of prompt`], ["took", `${seconds.toFixed(1)} s`]);
      rows.push(["ended because", REASONS[reason] ?? reason], ["model", model]);
      if (mode !== "unspecified") rows.push(["blended", mode]);
      return rows;
    },
  },
  methods: {
    two,
    told(index) {
      return voiceWords(this.reply.voices[index]);
    },
    // The number of a voice, where it begins.
    mark(index) {
      const voice = this.reply.parts[index][0];
      return voice !== this.reply.parts[index - 1]?.[0] ? voice + 1 : null;
    },
  },
};
