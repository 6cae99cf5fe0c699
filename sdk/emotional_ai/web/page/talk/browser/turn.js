// One turn: what the person said, what was heard in it, the reply, and the same in other states beside it.
import TalkReply from "./reply.js";
import { signalWords, words } from "./voices.js";

export default {
  components: { TalkReply },
  template: `
    <li class="turn">
      <div class="user"><span class="sr">You said: </span><p class="said">{{ turn.text }}</p></div>
      <p class="heard" v-if="turn.heard">{{ heard }}</p>
      <div class="versions"><talk-reply v-for="reply in turn.replies" :key="reply.key" :reply="reply" :number="turn.number"
        :several="turn.replies.length > 1" :chemicals="chemicals"></talk-reply></div>
      <div class="turn-does">
        <button v-if="retriable" type="button" @click="$emit('retry')">Try again</button>
        <button v-if="answered" type="button" :disabled="busy" @click="$emit('again', turn)">Say this again in another
          state</button>
        <span v-if="left" class="muted">Left out of the conversation: later turns are said without it.</span>
      </div>
    </li>`,
  props: { turn: Object, chemicals: Array, last: Boolean, busy: Boolean, can: Boolean },
  emits: ["retry", "again"],
  computed: {
    original() {
      return this.turn.replies[0];
    },
    answered() {
      return this.can && this.original.spoken !== null && this.original.outcome !== "speaking";
    },
    retriable() {
      return this.can && this.last && this.original.outcome === "failed" && !this.busy;
    },
    left() {
      return !this.turn.remembered && this.original.outcome !== "speaking";
    },
    heard() {
      const { classified, signals, emotions } = this.turn.heard;
      if (!classified) return "Nothing was heard in these words that could be classified; they moved nothing.";
      const likely = emotions.slice(0, 3).map(([name, value]) => `${words(name)} ${(100 * value).toFixed(0)} %`).join(", ");
      return `Heard: ${signalWords(signals)}${likely ? ` (${likely})` : ""}`;
    },
  },
};
