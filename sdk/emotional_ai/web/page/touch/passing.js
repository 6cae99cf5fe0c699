// Time: how fast it passes, whether it stands still, and leaps over it.
export default {
  template: `
    <section class="touch-part" aria-labelledby="touch-time">
      <h2 id="touch-time" class="panel-title">Time</h2>
      <div :class="['touch-state', frozen ? 'frozen' : '']" data-time-state>
        <span v-if="frozen"><b>Frozen.</b> Simulated time stands still; signals still act at once.</span>
        <span v-else><b class="numbers">{{ shown }}</b> simulated {{ scale === 1 ? "minute passes" : "minutes pass" }} in a minute.</span>
        <button v-if="frozen" type="button" class="main" @click="ask('gone_on')">Go on</button>
        <button v-else type="button" class="main" @click="ask('scaled', 0)">Freeze</button>
      </div>
      <div class="touch-choices" role="group" aria-label="Time scale">
        <button v-for="pace in paces" :key="pace.name" type="button" class="plain" :aria-pressed="pace.scale === scale"
          @click="ask('scaled', pace.scale)">{{ pace.name }} <span class="numbers muted">{{ pace.scale }}</span></button>
      </div>
      <form class="touch-row" @submit.prevent="ask('scaled', wished)">
        <label class="touch-field"><span>Another scale</span>
          <input type="number" min="0" max="10000" step="any" v-model.number="wished" aria-label="Time scale, simulated minutes per minute">
        </label>
        <span class="muted">simulated minutes per minute</span>
        <button type="submit" class="plain" :disabled="wished === '' || !(wished >= 0 && wished <= 10000)">Set</button>
      </form>
      <div class="touch-choices" role="group" aria-label="Let simulated time pass at once">
        <span>Let pass at once</span>
        <button v-for="leap in leaps" :key="leap.name" type="button" class="plain" @click="ask('skipped', leap.minutes)">{{ leap.name }}</button>
      </div>
      <form class="touch-row" @submit.prevent="ask('skipped', minutes)">
        <label class="touch-field"><span>Another span</span>
          <input type="number" min="0.1" max="10000000" step="any" v-model.number="minutes" aria-label="Simulated minutes to let pass">
        </label>
        <span class="muted">simulated minutes</span>
        <button type="submit" class="plain" :disabled="!(minutes > 0 && minutes <= 10000000)">Let pass</button>
      </form>
      <div class="touch-actions"><button type="button" class="plain" @click="ask('reset')">Reset to baseline</button></div>
      <p class="touch-said muted" role="status">{{ said_last }}</p>
    </section>`,
  props: { scale: Number, paces: Array, leaps: Array },
  data() {
    return { wished: this.scale, minutes: 30, said_last: "" };
  },
  computed: {
    frozen() {
      return this.scale === 0;
    },
    shown() {
      return Number(this.scale.toPrecision(4));
    },
  },
  watch: {
    scale(now) {
      this.wished = now;
    },
  },
  methods: {
    ask(what, ...given) {
      this.said_last = "";
      this.$emit(what, ...given);
    },
    said(words) {
      this.said_last = words;
    },
  },
};
