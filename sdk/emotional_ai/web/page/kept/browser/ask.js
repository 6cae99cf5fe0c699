// Asks before something is done. The focus begins on the way back, and returns to where it came from.
let count = 0;

export const Ask = {
  template: `
    <dialog ref="dialog" class="ask" :aria-labelledby="key" @close="closed" @click.self="$refs.dialog.close()">
      <form method="dialog" @submit.prevent="agree">
        <h2 :id="key" class="ask-title">{{ title }}</h2>
        <div class="ask-words"><slot></slot></div>
        <div class="ask-buttons">
          <button ref="back" type="button" class="kept-button" @click="$refs.dialog.close()">{{ back }}</button>
          <button type="submit" class="kept-button" :class="grave ? 'grave' : 'main'">{{ forth }}</button>
        </div>
      </form>
    </dialog>`,
  props: { title: String, back: { type: String, default: "Cancel" }, forth: String, grave: Boolean },
  emits: ["agreed"],
  data() {
    return { key: `ask-${(count += 1)}` };
  },
  methods: {
    open() {
      this.before = document.activeElement;
      this.$refs.dialog.showModal();
      this.$refs.back.focus();
    },
    agree() {
      this.$refs.dialog.close();
      this.$emit("agreed");
    },
    closed() {
      if (this.before?.isConnected) this.before.focus();
    },
  },
};
