// The room `adapters`.
import { Digest, Looked } from "emotional-ai-kept";
import { number, words } from "emotional-ai-written";

export default {
  components: { Digest },
  mixins: [Looked],
  template: `
    <div class="kept">
      <p v-if="outdated" class="kept-late" role="status">{{ outdated }}</p>
      <section class="card kept" aria-labelledby="model-title">
        <h2 id="model-title">Language model</h2>
        <p v-if="silence">{{ silence }}</p>
        <dl class="kept-facts" v-else-if="model">
          <dt>Name</dt><dd>{{ model.name }}</dd>
          <dt>Digest</dt><dd><Digest :value="model.digest" of="digest of the model"/></dd>
          <template v-for="(fact, name) in model.facts" :key="name"><dt>{{ name }}</dt><dd>{{ fact }}</dd></template>
        </dl>
        <p v-else class="muted">...</p>
      </section>
      <section class="kept" aria-labelledby="adapters-title" v-if="adapters">
        <div class="kept-row"><h2 id="adapters-title">{{ adapters.length }} {{ adapters.length === 1 ? "adapter" : "adapters" }}</h2>
          <span class="muted" v-if="adapters.length">in the order blends use</span></div>
        <p v-if="!adapters.length">There are no adapters: the base model speaks, under temperature and top_p alone.
          <a href="/training">Train some</a>, or run <code>emotional-ai train adapters</code>.</p>
        <div class="adapters">
          <article v-for="one in adapters" :key="one.name" class="card adapter" :aria-label="words(one.name)">
            <h3><i class="adapter-mark" :style="{ background: one.colour }" aria-hidden="true"></i>{{ words(one.name) }}</h3>
            <p v-if="one.refused" class="adapter-refused"><b>Cannot be blended:</b> {{ one.refused }}</p>
            <p class="kept-hint">It speaks alone at</p>
            <dl class="prototype">
              <template v-for="each in chemicals" :key="each.name">
                <dt>{{ each.name }}</dt>
                <dd><span class="prototype-bar" aria-hidden="true"><span :style="{ width: one.prototype[each.name] * 100 + '%',
                  '--light': each.colour, '--dark': each.on_dark }"></span></span>
                  <span class="numbers">{{ one.prototype[each.name].toFixed(2) }}</span></dd>
              </template>
            </dl>
            <dl class="kept-facts">
              <dt>Scale</dt><dd class="numbers">{{ one.scale.toFixed(2) }}, {{ one.calibrated ? "measured" : "a convention, not measured" }}</dd>
              <dt>Rank</dt><dd class="numbers">{{ one.rank }}</dd>
              <dt>Digest</dt><dd><Digest :value="one.digest" :of="'digest of ' + words(one.name)"/></dd>
              <dt>Base model</dt><dd>{{ one.base_model || "not told" }}</dd>
              <dt>Its digest</dt><dd><Digest :value="one.base_model_digest" :of="'base model digest of ' + words(one.name)"/></dd>
            </dl>
            <details v-if="Object.keys(one.metrics).length" class="adapter-scores"><summary>What it scored</summary>
              <dl class="kept-facts"><template v-for="(value, name) in one.metrics" :key="name">
                <dt>{{ words(name) }}</dt><dd class="numbers">{{ number(value, 3) }}</dd></template></dl></details>
          </article>
        </div>
        <p class="muted" v-if="adapters.length">Weight 1 in a blend applies an adapter at its scale. Loss and reward as they go are told by the
          training that makes an adapter: see <a href="/training">Training</a>.</p>
      </section>
    </div>`,
  props: { chemicals: Array },
  data() {
    return { adapters: null, model: null, silence: "" };
  },
  methods: {
    number,
    words,
    // What the server calls.
    fill(adapters) {
      this.adapters = adapters;
      this.known = true;
    },
    speak(model) {
      this.model = model;
      this.silence = "";
    },
    silent(words) {
      this.silence = words;
    },
  },
};
