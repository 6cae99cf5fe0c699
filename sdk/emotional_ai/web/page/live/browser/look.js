// How the pictures look: colours of the page as they are now, and what every picture has in common.
import { clock, day } from "emotional-ai-written";

export { moment, words } from "emotional-ai-written";

export function looks() {
  const style = getComputedStyle(document.body);
  const of = (name) => style.getPropertyValue(name).trim();
  return {
    dark: document.body.classList.contains("body--dark"),
    ink: of("--ink"),
    soft: of("--soft"),
    line: of("--line"),
    card: of("--card"),
    wash: of("--wash"),
    font: style.fontFamily,
  };
}

export function base(look) {
  return {
    animation: false,
    textStyle: { fontFamily: look.font, color: look.soft },
    tooltip: {
      renderMode: "richText", // text of people and models is drawn, never read as HTML
      confine: true,
      backgroundColor: look.card,
      borderColor: look.line,
      borderWidth: 1,
      padding: [8, 10],
      textStyle: { color: look.ink, fontSize: 12, fontFamily: look.font },
      axisPointer: { type: "line", lineStyle: { color: look.soft, width: 1, type: "solid" }, label: { show: false } },
      transitionDuration: 0,
    },
  };
}

const WITH_SECONDS = 240000; // milliseconds up to which labels of time tell seconds
const EDGE = 0.05; // share of what is shown, at its end, in which a label would be cut off

export function timeAxis(look, past, splitNumber) {
  return {
    type: "time",
    min: past.start,
    max: past.now,
    minInterval: past.now - past.start > WITH_SECONDS ? 60000 : 0, // no label twice
    axisLine: { lineStyle: { color: look.line } },
    axisTick: { show: false },
    splitLine: { show: false },
    axisLabel: { color: look.soft, fontSize: 11, hideOverlap: true, formatter: labels(past) },
    splitNumber,
  };
}

export function levelAxis(look, min, max, interval) {
  return {
    type: "value",
    min,
    max,
    interval,
    axisLabel: { color: look.soft, fontSize: 11, formatter: (value) => String(Number(value.toFixed(2))) },
    splitLine: { lineStyle: { color: look.line, width: 1 } },
  };
}

function labels(past) {
  return (time) => {
    const shown = past.now - past.start;
    if (past.now - time < EDGE * shown) return "";
    const hours = clock(time, shown <= WITH_SECONDS);
    return shown > 43200000 ? `${day(time)} ${hours}` : hours;
  };
}
