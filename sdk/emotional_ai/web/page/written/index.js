// How numbers, times and names are written, the same on every page: a minus sign as wide as a plus, and a clock of 24 hours.
export function number(value, digits = 2) {
  return value.toFixed(digits).replace("-", "−");
}

export function signed(value, digits = 2) {
  return value < 0 ? number(value, digits) : "+" + number(value, digits);
}

export function clock(time, seconds = true) {
  const second = seconds ? "2-digit" : undefined;
  return new Date(time).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second, hourCycle: "h23" });
}

export function day(time) {
  const date = new Date(time);
  const year = date.getFullYear() === new Date().getFullYear() ? undefined : "numeric";
  return date.toLocaleDateString([], { month: "short", day: "numeric", year });
}

export function moment(time, seconds = true) {
  return `${day(time)} ${clock(time, seconds)}`;
}

export function words(name) {
  return name.replaceAll("_", " ");
}
