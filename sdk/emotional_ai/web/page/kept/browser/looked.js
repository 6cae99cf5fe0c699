// Tells the server whether somebody looks, and keeps what it says when it cannot keep this up to date.
const TICK_MS = 20000;

export const Looked = {
  emits: ["looking", "away"],
  data() {
    return { late: "", now: Date.now() };
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
