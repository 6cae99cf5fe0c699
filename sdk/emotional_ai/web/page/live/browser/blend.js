// Which adapters the agent would speak with, as shares that add up to one.
import { base, levelAxis, moment, timeAxis, words } from "./look.js";
import { voiced } from "./past.js";

export class Blend {
  constructor(echarts, element, colourOf) {
    this.chart = echarts.init(element, null, { renderer: "canvas" });
    this.colourOf = colourOf;
    this.drawn = "";
  }

  style(look, past) {
    this.past = past;
    this.look = look;
    this.drawn = past.voices.join();
    const common = base(look);
    this.chart.setOption(
      {
        ...common,
        tooltip: { ...common.tooltip, trigger: "axis", formatter: (params) => this.told(params) },
        grid: { left: 34, right: 10, top: 8, bottom: 22 },
        xAxis: timeAxis(look, past, 3),
        yAxis: levelAxis(look, 0, 1, 0.5),
        series: past.voices.map((name, index) => ({
          name,
          type: "line",
          stack: "blend",
          silent: true,
          showSymbol: false,
          lineStyle: { width: 1, color: look.card },
          itemStyle: { color: this.colourOf(name, index) },
          areaStyle: { color: this.colourOf(name, index), opacity: look.dark ? 0.75 : 0.85 },
          data: [],
        })),
      },
      { notMerge: true },
    );
  }

  draw(past) {
    if (past.voices.join() !== this.drawn) this.style(this.look, past);
    this.chart.setOption({
      xAxis: { min: past.start, max: past.now },
      series: past.voices.map((name) => ({ name, data: past.held(voiced(name)) })),
    });
  }

  told(params) {
    const time = params[0]?.axisValue;
    if (time === undefined) return "";
    const shares = this.past.voices.map((name) => [name, this.past.at(voiced(name), time)]).filter(([, share]) => share >= 0.005);
    return [moment(time), ...shares.reverse().map(([name, share]) => `${words(name)}  ${(share * 100).toFixed(0)} %`)].join("\n");
  }
}
