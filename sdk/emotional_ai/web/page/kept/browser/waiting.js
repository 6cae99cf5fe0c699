// Whether an answer of the server is waited for. One that was lost on its way is not waited for longer than it can take.
const LONGEST_MS = 8000; // a call that changes something is given up after 5 s

export const Waiting = {
  data() {
    return { waiting: false };
  },
  beforeUnmount() {
    clearTimeout(this.patience);
  },
  methods: {
    wait(given_up) {
      this.waiting = true;
      this.patience = setTimeout(() => {
        this.waiting = false;
        given_up();
      }, LONGEST_MS);
    },
    answered() {
      this.waiting = false;
      clearTimeout(this.patience);
    },
  },
};
