// The four chemicals over time, where they rest, and what happened.
import { base, levelAxis, moment, timeAxis } from "./look.js";

const DASHES = { solid: "solid", dashed: [7, 4], dotted: [2, 3], dashdot: [9, 3, 2, 3] };
const LIFT = 1.06; // where marks stand, above every level
const NEAR = 7; // pixels within which a mark is pointed at
const MANY = 200; // marks beyond which they are drawn as thin strokes, all in one
const MOST_TOLD = 3; // marks told at a time

export class Curves {
  // `pointed` gets what is at the time pointed at, or null.
  constructor(echarts, element, chemicals, pointed) {
    this.chart = echarts.init(element, null, { renderer: "canvas" });
    this.chemicals = chemicals;
    this.past = null;
    this.chart.getZr().on("mousemove", ({ offsetX, offsetY }) => {
      const [time, level] = this.chart.convertFromPixel("grid", [offsetX, offsetY]);
      const inside = level > -0.1 && time >= this.past.start && time <= this.past.now;
      pointed(inside ? this.told(time) : null);
    });
    this.chart.getZr().on("globalout", () => pointed(null));
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
      largeThreshold: MANY,
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
        tooltip: { ...common.tooltip, trigger: "axis", renderMode: "html", showContent: false }, // a line; the page says the rest
        grid: { left: 34, right: 10, top: 22, bottom: 24 },
        xAxis: timeAxis(look, past, 6),
        yAxis: levelAxis(look, 0, 1, 0.25),
        series: [...lines, marks],
      },
      { notMerge: true },
    );
  }

  draw(past) {
    const series = this.chemicals.map((one) => ({ name: one.name, data: past.held(one.name) }));
    this.chart.setOption({ xAxis: { min: past.start, max: past.now }, series: [...series, this.events(past)] });
  }

  events(past) {
    const many = past.marks.length > MANY;
    const data = past.marks.map((one) => [one.time, LIFT]);
    const lines = many ? [] : apart(past, this.chart.getWidth()).map((one) => ({ xAxis: one.time }));
    const shape = many ? { symbol: "rect", symbolSize: [1.5, 9], symbolRotate: 0 } : { symbol: "triangle", symbolSize: 9, symbolRotate: 180 };
    return { name: "events", large: many, ...shape, data, markLine: { data: lines } };
  }

  // Levels and marks at a time, and where that is in the picture.
  told(time) {
    const levels = this.chemicals.map(({ name }) => ({ name, level: this.past.at(name, time) }));
    const reach = ((this.past.now - this.past.start) / this.chart.getWidth()) * NEAR;
    const away = (one) => Math.abs(one.time - time);
    const near = this.past.marks.filter((one) => away(one) <= reach);
    const nearest = [...near].sort((one, other) => away(one) - away(other)).slice(0, MOST_TOLD);
    const x = this.chart.convertToPixel("grid", [time, 0])[0];
    return {
      x,
      right: x > this.chart.getWidth() / 2,
      time: moment(time),
      levels: levels.filter(({ level }) => level !== null),
      marks: nearest.sort((one, other) => one.sequence - other.sequence),
      more: Math.max(near.length - MOST_TOLD, 0),
    };
  }

  // The mark after or before a time, for those who point with keys.
  neighbour(time, step) {
    const times = this.past.marks.map((one) => one.time);
    return step > 0 ? times.find((one) => one > time) : times.findLast((one) => one < time);
  }
}

// Marks whose lines would not run together.
function apart(past, width) {
  const least = ((past.now - past.start) / width) * 5;
  let last = -Infinity;
  const found = past.marks.filter((one) => one.time - last >= least && ((last = one.time), true));
  return found.length < past.marks.length / 2 ? [] : found;
}
