// The room `sessions`: what is searched for and in which order is decided here, and which rows that are by the server.
import { Ask, Looked, Waiting, ago, exactly } from "emotional-ai-kept";

const SEARCH_MS = 150;
const COLUMNS = [
  { by: "id", name: "Session" },
  { by: "updated", name: "Last changed" },
  { by: "created", name: "Created" },
  { by: "entries", name: "Log entries" },
];

export default {
  components: { Ask },
  mixins: [Looked, Waiting],
  template: `
    <div class="kept">
      <p v-if="outdated" class="kept-late" role="status">{{ outdated }}</p>
      <form class="card kept-row" @submit.prevent="make" aria-label="Create a session">
        <label for="new-session">New session</label>
        <span class="grow"><input id="new-session" type="text" v-model="id" maxlength="128" autocomplete="off" spellcheck="false"
          placeholder="its id, or empty for one made up" aria-describedby="new-session-hint new-session-wrong" :aria-invalid="!!wrong"
          @input="refusal = ''"></span>
        <button type="submit" class="kept-button main" :disabled="waiting || !fits">Create</button>
        <span id="new-session-hint" class="kept-hint" style="flex-basis: 100%">{{ allowed }}. It begins at its baseline.</span>
        <span id="new-session-wrong" class="kept-wrong" role="alert">{{ wrong }}</span>
      </form>
      <p role="status" class="kept-said" v-show="said || created">{{ said }}<template v-if="created">
        Created <a :href="address(created)">{{ created }}</a>.</template></p>
      <section class="card kept" aria-label="All sessions">
        <div class="kept-row">
          <input ref="search" class="grow" type="search" aria-label="Search by id" placeholder="Search by id" v-model="search" @input="searched"
            spellcheck="false">
          <span class="muted numbers" role="status">{{ counted }}</span>
        </div>
        <table class="kept-table" v-if="rows.length">
          <caption class="sr">Sessions</caption>
          <thead><tr>
            <th v-for="one in columns" :key="one.by" scope="col" :class="{ right: one.by === 'entries' }"
              :aria-sort="one.by === by ? (downwards ? 'descending' : 'ascending') : 'none'">
              <button type="button" @click="order(one.by)">{{ one.name }}</button></th>
            <th scope="col"><span class="sr">Delete</span></th>
          </tr></thead>
          <tbody><tr v-for="row in rows" :key="row.id">
            <td data-name="Session"><a :href="address(row.id)">{{ row.id }}</a></td>
            <td data-name="Last changed" class="still"><span :title="exactly(row.updated)">{{ ago(row.updated, now) }}</span></td>
            <td data-name="Created" class="still"><span :title="exactly(row.created)">{{ ago(row.created, now) }}</span></td>
            <td data-name="Log entries" class="numbers right">{{ row.entries }}</td>
            <td class="right"><button type="button" class="kept-button small" :aria-label="'Delete ' + row.id" @click="ask(row)">Delete</button></td>
          </tr></tbody>
        </table>
        <p class="muted" v-else-if="known">{{ every ? "No session has that in its id." : "There is no session yet; create one above." }}</p>
        <nav class="kept-row" aria-label="Pages" v-if="pages > 1">
          <button type="button" class="kept-button small" :disabled="page === 0" @click="turn(page - 1)">Previous</button>
          <span class="numbers">Page {{ page + 1 }} of {{ pages }}</span>
          <button type="button" class="kept-button small" :disabled="page + 1 >= pages" @click="turn(page + 1)">Next</button>
        </nav>
      </section>
      <Ask ref="ask" :title="'Delete session ' + doomed.id + '?'" forth="Delete" grave @agreed="remove">
        <p>Its log of {{ doomed.entries }} {{ doomed.entries === 1 ? "entry" : "entries" }} goes with it. This cannot be undone.</p>
      </Ask>
    </div>`,
  props: { form: String, allowed: String },
  emits: ["wished", "made", "deleted"],
  data() {
    return {
      columns: COLUMNS,
      id: "", refusal: "", created: "", said: "",
      search: "", by: "updated", downwards: true, page: 0,
      rows: [], first: 0, found: 0, every: 0, pages: 1,
      doomed: { id: "", entries: 0 }, lost: false,
    };
  },
  computed: {
    fits() {
      const id = this.id.trim();
      return !id || new RegExp(`^(${this.form})$`).test(id);
    },
    wrong() {
      return this.fits ? this.refusal : `This cannot be an id: it has ${this.allowed}.`;
    },
    counted() {
      if (!this.known) return "...";
      const many = (count) => count.toLocaleString("en");
      const all = `${many(this.every)} ${this.every === 1 ? "session" : "sessions"}`;
      const found = this.found < this.every ? `${many(this.found)} found of ${all}` : all;
      return this.pages > 1 ? `${many(this.first + 1)}–${many(this.first + this.rows.length)} of ${found}` : found;
    },
  },
  beforeUnmount() {
    clearTimeout(this.typing);
  },
  methods: {
    ago,
    exactly,
    // What the server calls.
    fill(listing) {
      Object.assign(this, listing);
      this.now = Date.now();
      this.known = true;
      if (this.lost && !this.rows.some(({ id }) => id === this.doomed.id)) this.$nextTick(this.found_again);
    },
    refused(words) {
      this.answered();
      this.refusal = words;
    },
    made_one(id) {
      this.answered();
      this.id = "";
      this.said = "";
      this.created = id;
    },
    told(words) {
      this.created = "";
      this.said = words;
    },
    // What a visitor does.
    make() {
      if (this.waiting || !this.fits) return;
      this.wait(() => this.refused("No answer came; the list below shows whether it was made."));
      this.refusal = "";
      this.$emit("made", this.id);
    },
    searched() {
      clearTimeout(this.typing);
      this.typing = setTimeout(() => this.turn(0), SEARCH_MS);
    },
    order(by) {
      this.downwards = by === this.by ? !this.downwards : by !== "id";
      this.by = by;
      this.turn(0);
    },
    turn(page) {
      this.$emit("wished", { search: this.search, by: this.by, downwards: this.downwards, page });
    },
    ask(row) {
      this.doomed = row;
      this.$refs.ask.open();
    },
    // The button that had the focus is gone with its row.
    found_again() {
      this.lost = false;
      if (document.activeElement === document.body) this.$refs.search.focus();
    },
    remove() {
      this.lost = true;
      this.$emit("deleted", this.doomed.id);
    },
    address(id) {
      return "/s/" + encodeURIComponent(id);
    },
  },
};
