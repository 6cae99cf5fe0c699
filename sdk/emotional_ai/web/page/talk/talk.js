// The panel `talk`. The conversation is kept here as it was sent; the server sends it once, then turns whole and replies bit by
// bit. Every text is shown as text.
import { TalkAgain, TalkElsewhere, TalkTurn } from "emotional-ai-talk";
import { words } from "emotional-ai-written";

const MOST_OTHERS = 50; // of what happened elsewhere

export default {
  components: { TalkAgain, TalkElsewhere, TalkTurn },
  template: `
    <div class="talk">
      <div class="talk-head"><h2 class="panel-title">Talk to {{ session }}</h2>
        <button v-if="turns.length" type="button" :disabled="busy" @click="forget">Begin anew</button></div>
      <div ref="past" class="past" tabindex="0" role="group" aria-label="Conversation" @scroll.passive="scrolled">
        <p v-if="opened && !turns.length && !silent" class="muted hint">Say something. What is heard in it moves the session,
          and the reply is spoken in the state it comes to.</p>
        <ol class="turns"><template v-for="turn in turns" :key="turn.number">
          <talk-elsewhere v-for="one in before(turn)" :key="'elsewhere ' + one.sequence" :told="one"></talk-elsewhere>
          <li v-if="turn.number === sent && turn.number > kept" class="divider">The conversation is longer than the model can
            take in: what is above is no longer sent along.</li>
          <talk-turn :turn="turn" :chemicals="chemicals" :last="turn === turns.at(-1)" :busy="busy" :can="!silent"
            @retry="retry" @again="$refs.again.open($event)"></talk-turn></template>
          <talk-elsewhere v-for="one in lately" :key="'elsewhere ' + one.sequence" :told="one"></talk-elsewhere></ol>
        <p v-if="forgotten" class="muted hint">Older turns are no longer kept.</p>
      </div>
      <ul v-if="legend.length" class="voices" aria-label="Adapters"><li v-for="[name, colour] in legend" :key="name"><i
        :style="{ background: colour }"></i>{{ words(name) }}</li>
        <li v-if="moved" class="muted">Behind words: the loudest adapter, which has the largest
          weight there; the bar below them: the whole blend.</li></ul>
      <div v-if="silent" class="silent" role="status"><p>{{ silent }}</p>
        <p v-if="off">Start one that speaks, without the flag <code>--engine-only</code>:<br>
          <code>{{ start }}</code></p></div>
      <form class="say" @submit.prevent="say" @input="refusal = ''; eager = false">
        <p v-if="refusal" class="failure" role="alert">{{ refusal }}</p>
        <div class="say-row"><textarea ref="field" v-model="text" rows="2" aria-label="Message" :maxlength="longest"
          :placeholder="placeholder" @keydown.enter.exact="entered"></textarea>
          <button v-if="busy" type="button" class="primary" @click="stop">Stop</button>
          <button v-else type="submit" class="primary" :disabled="!!silent || !opened">Send</button></div>
        <details class="options"><summary>Seed and length</summary><div>
          <label>Seed<input type="text" inputmode="numeric" v-model="seed" placeholder="drawn anew" autocomplete="off"></label>
          <label>Most tokens<input type="number" min="1" :max="most_tokens" v-model="max_tokens" placeholder="160"></label>
          <span class="muted">With a seed, the same state and the same words give the same reply.</span></div></details>
      </form>
      <div class="sr" aria-live="polite">{{ announced }}</div>
      <talk-again ref="again" :chemicals="chemicals" @states="$emit('states')" @again="again"></talk-again>
    </div>`,
  props: { session: String, start: String, chemicals: Array, longest: Number, most_tokens: Number },
  data() {
    return {
      turns: [], others: [], kept: 1, sent: 1, opened: false, silent: "", off: false, model: "",
      text: "", typed: "", seed: "", max_tokens: "", refusal: "", announced: "", eager: false,
    };
  },
  computed: {
    speaking() {
      return this.turns.flatMap((turn) => turn.replies).find((reply) => reply.outcome === "speaking");
    },
    busy() {
      return this.speaking !== undefined;
    },
    forgotten() {
      return this.kept > 1 && this.turns.length > 0 && this.sent <= this.kept;
    },
    moved() {
      return this.turns.some((turn) => turn.replies.some((reply) => reply.voices.length > 1));
    },
    placeholder() {
      return this.silent ? "Nobody speaks here" : this.busy ? "Escape stops the reply" : "Say something";
    },
    // What happened elsewhere since the last turn that has begun.
    lately() {
      const newest = Math.max(0, ...this.turns.map(versionOf));
      return this.others.filter((one) => one.sequence > newest);
    },
    legend() {
      const seen = new Map();
      const voices = this.turns.flatMap((turn) => turn.replies).flatMap((reply) => reply.voices);
      for (const [name, weight, colour] of voices.flatMap((voice) => voice.blend)) if (weight >= 0.005) seen.set(name, colour);
      return [...seen];
    },
  },
  mounted() {
    this.low = true; // the end of the conversation is in sight
    this.height = 0;
    document.addEventListener("keydown", this.pressed);
    this.resizing = new ResizeObserver(() => this.follow());
    this.resizing.observe(this.$refs.past);
    this.resizing.observe(this.$refs.past.querySelector(".turns"));
    this.$emit("shown");
  },
  beforeUnmount() {
    document.removeEventListener("keydown", this.pressed);
    this.resizing.disconnect();
  },
  methods: {
    words,
    // What the server calls.
    fill(turns, { kept, sent }) {
      Object.assign(this, { turns, kept, sent, opened: true });
    },
    speaks(model) {
      Object.assign(this, { model, silent: "", off: false });
      if (this.eager && !this.busy) this.say();
      this.eager = false;
    },
    hush(why, off) {
      Object.assign(this, { silent: why, off, eager: false });
    },
    elsewhere(news) {
      const known = new Set(this.others.map((one) => one.sequence));
      this.others = [...this.others, ...news.filter((one) => !known.has(one.sequence))].slice(-MOST_OTHERS);
    },
    take(change) {
      if (change.turn) this.place(change.turn);
      if (change.grown) this.grow(change.grown);
      if (change.bounds) this.cut(change.bounds);
    },
    choose(states, failure) {
      this.$refs.again.choose(states, failure);
    },
    refused(why) {
      this.refusal = why[0].toUpperCase() + why.slice(1) + ".";
      if (!this.text) this.text = this.typed;
    },
    // What a visitor does.
    entered(event) {
      if (event.isComposing) return;
      event.preventDefault();
      if (!this.busy) this.say();
    },
    // What is sent before the conversation is here is said once it is.
    say() {
      this.eager = !this.opened && !this.silent;
      if (this.silent || !this.opened || !this.text.trim()) return;
      this.refusal = "";
      this.$emit("say", { text: this.text, seed: this.seed, max_tokens: this.max_tokens });
      this.typed = this.text;
      this.text = "";
      this.low = true;
      this.$refs.field.focus();
    },
    again(wanted) {
      this.refusal = "";
      this.typed = "";
      this.$emit("again", wanted);
      this.$refs.past.focus();
    },
    retry() {
      this.refusal = "";
      this.$emit("retry");
      this.$refs.past.focus();
    },
    forget() {
      this.refusal = "";
      this.$emit("forget");
      this.$refs.field.focus();
    },
    stop() {
      this.$emit("stop");
      this.$refs.field.focus();
    },
    pressed(event) {
      if (event.key !== "Escape" || !this.busy || !this.$el.offsetParent || document.querySelector("dialog[open]")) return;
      this.$emit("stop");
    },
    scrolled() {
      // What is told may grow between a scroll and its event: only going up leaves the end.
      const { scrollTop, scrollHeight, clientHeight } = this.$refs.past;
      if (scrollTop < this.height - 2) this.low = false;
      if (scrollHeight - scrollTop - clientHeight < 40) this.low = true;
      this.height = scrollTop;
    },
    follow() {
      if (this.low) this.$refs.past.scrollTop = this.$refs.past.scrollHeight;
    },
    // How the conversation is kept.
    before(turn) {
      const since = Math.max(0, ...this.turns.filter((one) => one.number < turn.number).map(versionOf));
      return this.others.filter((one) => one.sequence > since && one.sequence <= versionOf(turn));
    },
    place(turn) {
      const at = this.turns.findIndex((one) => one.number === turn.number);
      if (at < 0) {
        this.turns.push(turn);
        this.typed = "";
      } else {
        this.announce(this.turns[at], turn);
        this.turns[at] = turn;
      }
    },
    announce(before, after) {
      const spoke = before.replies.find((reply) => reply.outcome === "speaking");
      const ended = after.replies.find((reply) => reply.key === spoke?.key && reply.outcome !== "speaking");
      if (ended?.parts.length) this.announced = "Reply: " + ended.parts.map(([, text]) => text).join("");
    },
    grow({ key, voices, parts, tokens }) {
      const reply = this.turns.flatMap((turn) => turn.replies).find((one) => one.key === key);
      if (!reply) return;
      reply.tokens = tokens;
      reply.voices.push(...voices);
      for (const [voice, text] of parts) {
        const last = reply.parts.at(-1);
        if (last && last[0] === voice) last[1] += text;
        else reply.parts.push([voice, text]);
      }
    },
    cut({ kept, sent }) {
      this.turns = this.turns.filter((turn) => turn.number >= kept);
      Object.assign(this, { kept, sent });
    },
  },
};

// The session's version as a turn was answered; 0 while that is not known.
function versionOf(turn) {
  return turn.replies[0].spoken?.version ?? 0;
}
