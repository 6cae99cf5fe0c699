// One metric over a job: a line for each stage, in its colour, and where each stage begins.
import { echarts } from "nicegui-echart";
import { words } from "emotional-ai-written";

export const Curve = {
  template: `
    <figure class="curve-of-job">
      <figcaption>{{ words }} <b class="numbers">{{ short(last) }}</b></figcaption>
      <div ref="place" class="curve-place" role="img" :aria-label="summary"></div>
    </figure>`,
  props: { name: String, points: Array, stages: Array, beat: Number },
  computed: {
    words() {
      return words(this.name);
    },
    last() {
      return this.beat ? this.points.findLast((one) => one.value !== null)?.value : undefined;
    },
    summary() {
      const first = this.points.find((one) => one.value !== null)?.value;
      return `${this.words} over ${this.points.length} reports: from ${this.short(first)} to ${this.short(this.last)}`;
    },
  },
  watch: {
    beat() {
      this.drawSoon();
    },
  },
  mounted() {
    this.chart = echarts.init(this.$refs.place, null, { renderer: "canvas" });
    this.resizing = new ResizeObserver(() => {
      if (this.$refs.place.clientWidth) this.chart.resize();
    });
    this.resizing.observe(this.$refs.place);
    this.theming = new MutationObserver(() => this.style());
    this.theming.observe(document.body, { attributes: true, attributeFilter: ["class"] });
    this.style();
  },
  beforeUnmount() {
    this.resizing.disconnect();
    this.theming.disconnect();
    this.chart.dispose();
  },
  methods: {
    style() {
      const look = getComputedStyle(document.body);
      const of = (name) => look.getPropertyValue(name).trim();
      const [ink, soft, line, card] = ["--ink", "--soft", "--line", "--card"].map(of);
      this.soft = soft;
      this.chart.setOption(
        {
          animation: false,
          textStyle: { fontFamily: look.fontFamily, color: soft },
          tooltip: {
            trigger: "axis", renderMode: "richText", confine: true, backgroundColor: card, borderColor: line, borderWidth: 1, padding: [6, 9],
            textStyle: { color: ink, fontSize: 12, fontFamily: look.fontFamily }, transitionDuration: 0,
            axisPointer: { lineStyle: { color: soft, type: "solid" } }, formatter: (shown) => this.told(shown),
          },
          grid: { left: 52, right: 10, top: 20, bottom: 20 },
          xAxis: { type: "value", min: "dataMin", max: "dataMax", minInterval: 1, axisLabel: { color: soft, fontSize: 11, hideOverlap: true },
            axisLine: { lineStyle: { color: line } }, axisTick: { show: false }, splitLine: { show: false } },
          yAxis: { type: "value", scale: true, splitNumber: 3, axisLabel: { color: soft, fontSize: 11, formatter: (value) => this.short(value) },
            splitLine: { lineStyle: { color: line } } },
          series: [],
        },
        { notMerge: true },
      );
      this.draw();
    },
    drawSoon() {
      if (this.due) return;
      this.due = true;
      requestAnimationFrame(() => {
        this.due = false;
        if (!this.chart.isDisposed()) this.draw();
      });
    },
    draw() {
      const series = this.stages.map((stage, index) => {
        const data = this.points.filter((one) => one.stage === index).map((one) => [one.x, one.value]);
        return {
          name: String(index), type: "line", data, connectNulls: false, showSymbol: data.length < 3, symbolSize: 6, sampling: "lttb",
          lineStyle: { color: stage.colour, width: 2 }, itemStyle: { color: stage.colour },
          markLine: this.stages.length < 2 ? undefined : {
            silent: true, symbol: "none", data: [{ xAxis: stage.from, name: String(index + 1) }], lineStyle: { color: this.soft, type: "dashed", width: 1, opacity: 0.6 },
            label: { show: data.length > 0, formatter: "{b}", color: this.soft, fontSize: 11, distance: 3 },
          },
        };
      });
      this.chart.setOption({ series }, { replaceMerge: ["series"] });
    },
    told(shown) {
      const x = shown[0]?.axisValue;
      const at = this.points.find((one) => one.x === x);
      return at ? `${this.stages[at.stage].name} ${at.step}\n${this.words}  ${this.short(at.value)}` : "";
    },
    short(value) {
      if (value === undefined || value === null) return "–";
      return Number(value.toPrecision(4)).toString();
    },
  },
};
