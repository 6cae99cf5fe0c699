// Tabs. The choice is kept in the element's data-panel, which the style sheet follows, and for a reload in the tab's storage.
const WIDE = "(min-width: 1080px)";

export default {
  template: `
    <div role="tablist" aria-label="Panels" @keydown="move">
      <button v-for="name in shown" :key="name" type="button" role="tab" :id="'tab-' + name"
        :aria-selected="name === current" :aria-controls="'panel-' + name" :tabindex="name === current ? 0 : -1"
        @click="choose(name)">{{ name[0].toUpperCase() + name.slice(1) }}</button>
    </div>`,
  props: { names: Array, desk: String },
  data() {
    return { wide: matchMedia(WIDE).matches, chosen: sessionStorage.getItem("panel") || this.names[0] };
  },
  computed: {
    shown() {
      return this.wide ? this.names.slice(1) : this.names;
    },
    current() {
      return this.shown.includes(this.chosen) ? this.chosen : this.shown[0];
    },
  },
  watch: {
    current() {
      this.apply();
    },
    shown() {
      this.apply();
    },
  },
  mounted() {
    this.media = matchMedia(WIDE);
    this.media.addEventListener("change", this.resized);
    this.apply();
  },
  unmounted() {
    this.media.removeEventListener("change", this.resized);
  },
  methods: {
    resized(event) {
      this.wide = event.matches;
    },
    apply() {
      document.getElementById(this.desk).dataset.panel = this.current;
      for (const name of this.names) this.label(name);
    },
    // What has a tab is the panel of that tab; what stays in sight without one is none.
    label(name) {
      const panel = document.getElementById("panel-" + name);
      const tabbed = this.shown.includes(name);
      for (const [attribute, value] of [["role", "tabpanel"], ["aria-labelledby", "tab-" + name]]) {
        if (tabbed) panel.setAttribute(attribute, value);
        else panel.removeAttribute(attribute);
      }
    },
    choose(name) {
      this.chosen = name;
      sessionStorage.setItem("panel", name);
    },
    move(event) {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const count = this.shown.length;
      this.choose(this.shown[(this.shown.indexOf(this.current) + step + count) % count]);
      this.$nextTick(() => document.getElementById("tab-" + this.current).focus());
      event.preventDefault();
    },
  },
};
