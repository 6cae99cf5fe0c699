// The switch between the system's choice, light and dark. The choice is kept in the browser alone.
const NEXT = { auto: "light", light: "dark", dark: "auto" };
const ICONS = { auto: "brightness_auto", light: "light_mode", dark: "dark_mode" };
const WORDS = { auto: "as the system", light: "light", dark: "dark" };

export default {
  template: `
    <button type="button" class="theme" @click="turn" :aria-label="'Colours: ' + words" :title="'Colours: ' + words">
      <i class="q-icon material-icons" aria-hidden="true">{{ icon }}</i>
    </button>`,
  data() {
    return { chosen: NEXT[localStorage.getItem("theme")] ? localStorage.getItem("theme") : "auto" };
  },
  computed: {
    icon() {
      return ICONS[this.chosen];
    },
    words() {
      return WORDS[this.chosen];
    },
  },
  mounted() {
    this.apply();
  },
  methods: {
    turn() {
      this.chosen = NEXT[this.chosen];
      localStorage.setItem("theme", this.chosen);
      this.apply();
    },
    apply() {
      Quasar.Dark.set(this.chosen === "auto" ? "auto" : this.chosen === "dark");
      document.documentElement.classList.remove("dark-at-first");
    },
  },
};
