// Valence and arousal now, and the path that led there.
import { signed } from "emotional-ai-written";
import { base } from "./look.js";

const PATH = 160; // points of the path
const CORNERS = [["tense", "left", "top"], ["excited", "right", "top"], ["low", "left", "bottom"], ["calm", "right", "bottom"]];

export class Plane {
  constructor(echarts, element) {
    this.chart = echarts.init(element, null, { renderer: "canvas" });
  }

  style(look) {
    const axis = (name) => ({
      type: "value",
      name,
      nameLocation: "middle",
      nameGap: name === "valence" ? 10 : 12,
      nameTextStyle: { color: look.soft, fontSize: 11 },
      min: -1,
      max: 1,
      interval: 1,
      axisLabel: { show: false },
      axisTick: { show: false },
      axisLine: { show: false },
      splitLine: { lineStyle: { color: look.line } },
    });
    const graphic = CORNERS.map(([text, left, top]) => ({
      type: "text", [left]: left === "left" ? 32 : 12, [top]: top === "top" ? 10 : 24, silent: true,
      style: { text, fill: look.soft, font: `11px ${look.font}` },
    }));
    const common = base(look);
    this.chart.setOption(
      {
        ...common,
        tooltip: { ...common.tooltip, trigger: "item", formatter: ({ value }) => `valence ${signed(value[0])}\narousal ${signed(value[1])}` },
        grid: { left: 20, right: 6, top: 6, bottom: 18 },
        xAxis: axis("valence"),
        yAxis: axis("arousal"),
        graphic,
        series: [
          { name: "path", type: "line", silent: true, showSymbol: false, lineStyle: { width: 1.6, color: look.soft, opacity: 0.55 }, data: [] },
          { name: "lately", type: "line", silent: true, showSymbol: false, lineStyle: { width: 2.4, color: look.ink, opacity: 0.8 }, data: [] },
          {
            name: "now", type: "scatter", symbolSize: 13, z: 5,
            itemStyle: { color: look.ink, borderColor: look.card, borderWidth: 2 }, data: [],
          },
        ],
      },
      { notMerge: true },
    );
  }

  draw(past) {
    const points = thinned(past.path, PATH);
    const now = past.path.at(-1);
    const furthest = Math.max(...points.flatMap(([valence, arousal]) => [Math.abs(valence), Math.abs(arousal)]), 0);
    const most = furthest > 0.48 ? 1 : 0.5;
    const lately = past.path.filter((point) => point[2] >= past.now - 30000);
    this.chart.setOption({
      xAxis: { min: -most, max: most, interval: most },
      yAxis: { min: -most, max: most, interval: most },
      series: [{ name: "path", data: points }, { name: "lately", data: lately }, { name: "now", data: now ? [now] : [] }],
    });
  }
}

function thinned(list, most) {
  const step = Math.ceil(list.length / most);
  return step <= 1 ? list : list.filter((_, index) => index % step === 0 || index === list.length - 1);
}
