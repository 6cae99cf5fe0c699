// A digest: its beginning, the whole of it on demand, and a button that copies it.
const BEGINNING = 12;

export const Digest = {
  template: `
    <span class="digest">
      <span class="muted" v-if="!value">not told</span>
      <template v-else>
        <button type="button" class="digest-words" :aria-expanded="whole" :aria-label="(whole ? 'Shorten ' : 'Show whole ') + of"
          :title="value" @click="whole = !whole"><code>{{ whole ? value : value.slice(0, ${BEGINNING}) + "…" }}</code></button>
        <button type="button" class="digest-copy" :aria-label="'Copy ' + of" @click="copy">{{ copied ? "copied" : "copy" }}</button>
        <span class="sr" role="status">{{ copied ? of + " copied" : "" }}</span>
      </template>
    </span>`,
  props: { value: String, of: String },
  data() {
    return { whole: false, copied: false };
  },
  beforeUnmount() {
    clearTimeout(this.timer);
  },
  methods: {
    async copy() {
      if (!(await written(this.value))) {
        this.whole = true;
        return;
      }
      this.copied = true;
      clearTimeout(this.timer);
      this.timer = setTimeout(() => (this.copied = false), 2000);
    },
  },
};

// Pages served beyond this machine without TLS have no clipboard of the new kind.
async function written(text) {
  if (navigator.clipboard) {
    return navigator.clipboard.writeText(text).then(() => true, () => false);
  }
  const area = document.createElement("textarea");
  const before = document.activeElement;
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  before?.focus();
  return done;
}
