// How freely it would speak: temperature and top_p.
import { base, levelAxis, moment, timeAxis } from "./look.js";

export class Manner {
  constructor(echarts, element) {
    this.chart = echarts.init(element, null, { renderer: "canvas" });
  }

  style(look, past) {
    this.past = past;
    const common = base(look);
    const line = (name, type) => ({
      name, type: "line", silent: true, showSymbol: false, lineStyle: { color: look.ink, width: 1.8, type }, itemStyle: { color: look.ink }, data: [],
    });
    this.chart.setOption(
      {
        ...common,
        tooltip: { ...common.tooltip, trigger: "axis", formatter: (params) => this.told(params) },
        grid: { left: 34, right: 10, top: 8, bottom: 22 },
        xAxis: timeAxis(look, past, 3),
        yAxis: levelAxis(look, 0.25, 1.5, 0.25),
        series: [line("temperature", "solid"), line("top_p", [4, 3])],
      },
      { notMerge: true },
    );
    this.chart.setOption({ yAxis: { min: 0.2, max: 1.4, interval: 0.4 } });
  }

  draw(past) {
    this.chart.setOption({
      xAxis: { min: past.start, max: past.now },
      series: ["temperature", "top_p"].map((name) => ({ name, data: past.held(name) })),
    });
  }

  told(params) {
    const time = params[0]?.axisValue;
    if (time === undefined) return "";
    const rows = ["temperature", "top_p"].map((name) => [name, this.past.at(name, time)]);
    return [moment(time), ...rows.filter(([, value]) => value !== null).map(([name, value]) => `${name}  ${value.toFixed(2)}`)].join("\n");
  }
}
