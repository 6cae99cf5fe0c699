// Tells the server whether somebody looks, and keeps what it says when it cannot keep this up to date. A component sets `known`
// once it has something to show.
const TICK_MS = 20000;

export const Looked = {
  emits: ["looking", "away"],
  data() {
    return { late: "", known: false, now: Date.now() };
  },
  mounted() {
    document.addEventListener("visibilitychange", this.turned);
    this.ticking = setInterval(() => (this.now = Date.now()), TICK_MS);
    this.turned();
  },
  beforeUnmount() {
    document.removeEventListener("visibilitychange", this.turned);
    clearInterval(this.ticking);
  },
  computed: {
    outdated() {
      return this.late && `${this.known ? "This may be out of date" : "Nothing to show yet"}: ${this.late}`;
    },
  },
  methods: {
    turned() {
      this.now = Date.now();
      this.$emit(document.hidden ? "away" : "looking");
    },
    stale(words) {
      this.late = words;
    },
  },
};
