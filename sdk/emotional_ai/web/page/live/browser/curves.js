// The four chemicals over time, where they rest, and what happened.
import { base, levelAxis, moment, timeAxis, words } from "./look.js";

const DASHES = { solid: "solid", dashed: [7, 4], dotted: [2, 3], dashdot: [9, 3, 2, 3] };
const LIFT = 1.06; // where marks stand, above every level

export class Curves {
  constructor(echarts, element, chemicals) {
    this.chart = echarts.init(element, null, { renderer: "canvas" });
    this.chemicals = chemicals;
    this.past = null;
  }

  style(look, past, rest) {
    this.past = past;
    const colour = (one) => (look.dark ? one.on_dark : one.colour);
    const lines = this.chemicals.map((one) => ({
      name: one.name,
      type: "line",
      showSymbol: false,
      silent: true,
      z: 3,
      lineStyle: { color: colour(one), width: 2.2, type: DASHES[one.dash], cap: "butt" },
      itemStyle: { color: colour(one) },
      markLine: {
        silent: true,
        symbol: "none",
        label: { show: false },
        lineStyle: { color: colour(one), opacity: 0.4, width: 1, type: "solid" },
        data: rest ? [{ yAxis: rest[one.name] }] : [],
      },
      data: [],
    }));
    const marks = {
      name: "events",
      type: "scatter",
      symbol: "triangle",
      symbolRotate: 180,
      symbolSize: 9,
      clip: false,
      itemStyle: { color: look.soft, opacity: 0.85 },
      emphasis: { itemStyle: { color: look.ink, opacity: 1 } },
      markLine: { silent: true, symbol: "none", label: { show: false }, lineStyle: { color: look.line, type: "solid", width: 1 }, z: 1, data: [] },
      data: [],
      z: 5,
    };
    const common = base(look);
    this.chart.setOption(
      {
        ...common,
        tooltip: { ...common.tooltip, trigger: "axis", formatter: (params) => this.told(params) },
        grid: { left: 34, right: 10, top: 22, bottom: 24 },
        xAxis: timeAxis(look, past),
        yAxis: levelAxis(look, 0, 1, 0.25),
        series: [...lines, marks],
      },
      { notMerge: true },
    );
  }

  draw(past) {
    const series = this.chemicals.map((one) => ({ name: one.name, data: past.held(one.name) }));
    const data = past.marks.map((one) => [one.time, LIFT]);
    const lines = apart(past, this.chart.getWidth()).map((one) => ({ xAxis: one.time }));
    this.chart.setOption({
      xAxis: { min: past.start, max: past.now },
      series: [...series, { name: "events", data, markLine: { data: lines } }],
    });
  }

  told(params) {
    const time = params[0]?.axisValue;
    if (time === undefined) return "";
    const rows = this.chemicals.map((one) => [one.name, this.past.at(one.name, time)]);
    const levels = rows.filter(([, level]) => level !== null).map(([name, level]) => `${name.padEnd(10)} ${level.toFixed(2)}`);
    const reach = ((this.past.now - this.past.start) / this.chart.getWidth()) * 7;
    const near = this.past.marks.filter((one) => Math.abs(one.time - time) <= reach).slice(-4);
    return [moment(time), ...levels, ...near.flatMap(happened)].join("\n");
  }
}

// Marks whose lines would not run together.
function apart(past, width) {
  const least = ((past.now - past.start) / width) * 5;
  let last = -Infinity;
  const found = past.marks.filter((one) => one.time - last >= least && ((last = one.time), true));
  return found.length < past.marks.length / 2 ? [] : found;
}

function happened(mark) {
  const lines = ["", `${mark.sequence}  ${mark.title}`];
  if (mark.note) lines.push(`“${mark.note}”`);
  for (const [signal, moved] of Object.entries(mark.moved ?? {})) {
    const parts = Object.entries(moved).map(([name, by]) => `${name} ${by < 0 ? "−" : "+"}${Math.abs(by).toFixed(3)}`);
    if (parts.length) lines.push(`${words(signal)} moved ${parts.join(", ")}`);
  }
  return lines;
}
