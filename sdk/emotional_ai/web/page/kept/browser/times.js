// Times in words. All are milliseconds since 1970, or seconds where said.
import { moment } from "emotional-ai-written";

const STEPS = [
  [60, "s"],
  [60, "min"],
  [24, "h"],
  [Infinity, "days"],
];

export function ago(time, now) {
  let value = Math.max((now - time) / 1000, 0);
  if (value < 10) return "just now";
  for (const [size, unit] of STEPS) {
    if (value < size) {
      const whole = Math.floor(value);
      return `${whole} ${unit === "days" && whole === 1 ? "day" : unit} ago`;
    }
    value /= size;
  }
  return "";
}

export function exactly(time) {
  return moment(time);
}

export function left(seconds) {
  if (!(seconds > 0)) return "";
  const whole = Math.round(seconds);
  const two = (value) => String(value).padStart(2, "0");
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return hours ? `${hours}:${two(minutes)}:${two(rest)} left` : `${minutes}:${two(rest)} left`;
}
