// Export and import of a whole session. A file goes to the server in parts, since one message of the page's own is small.
const PART = 100000; // characters; at most 700 kB, however they are written

export default {
  template: `
    <details class="touch-part touch-more">
      <summary><h2 class="panel-title">Export and import</h2></summary>
      <p class="muted">A session whole: its configuration and its log, as a JSON file that can be imported anywhere.</p>
      <div class="touch-actions"><button type="button" class="plain" @click="$emit('exported')">Export this session</button></div>
      <form class="touch-row" @submit.prevent="send">
        <label class="touch-field"><span>File</span><input type="file" accept=".json,application/json" aria-label="File of a session" @change="chosen"></label>
        <label class="touch-field"><span>Import as</span>
          <input type="text" maxlength="128" v-model.trim="name" placeholder="its id, or empty for one made up" aria-label="Id of the imported session"></label>
        <button type="submit" class="plain" :disabled="!file">Import</button>
      </form>
      <p class="touch-said" role="status">{{ words }}<a v-if="session" :href="'/s/' + encodeURIComponent(session)">{{ session }}</a></p>
      <ul v-if="wrongs.length" class="fault" role="alert"><li v-for="one in wrongs" :key="one">{{ one }}</li></ul>
    </details>`,
  props: { most: Number },
  data() {
    return { file: null, name: "", words: "", session: "", wrongs: [] };
  },
  methods: {
    chosen(event) {
      this.file = event.target.files[0] ?? null;
    },
    async send() {
      if (this.file.size > this.most) {
        this.said("Nothing was imported.", "", [`the file: has ${this.file.size} bytes; the service takes at most ${this.most} at once`]);
        return;
      }
      let text;
      try {
        text = await this.file.text();
      } catch {
        this.said("Nothing was imported.", "", ["the file: has changed since it was chosen; choose it again"]);
        return;
      }
      this.said("Importing.", "", []);
      parted(text).forEach((part, index, all) => this.$emit("imported", this.name, index, all.length, part));
    },
    said(words, session, wrongs) {
      this.words = words;
      this.session = session;
      this.wrongs = wrongs;
    },
  },
};

// Parts of a text, none of which ends within a character.
function parted(text) {
  const parts = [];
  for (let start = 0; start < text.length || !parts.length; ) {
    let end = start + PART;
    if (/[\uD800-\uDBFF]/.test(text.charAt(end - 1))) end -= 1;
    parts.push(text.slice(start, end));
    start = end;
  }
  return parts;
}
