// Voices of a reply: their colours, and the same in words; signals in words.
import { number, words } from "emotional-ai-written";

const LEAST = 0.005; // least weight that does not read as 0.00

export { words };

export function two(value) {
  return number(value);
}

// Shares of the adapters that add to a voice, as [name, share of the whole, colour].
export function shares({ blend }) {
  const adding = blend.filter(([, weight]) => weight >= LEAST);
  const whole = adding.reduce((sum, [, weight]) => sum + weight, 0);
  return adding.map(([name, weight, colour]) => [name, weight / whole, colour]);
}

// How text of a voice looks: the colour of its loudest adapter, and a bar below with all of them, as much of each as is heard.
export function tint(voice) {
  let at = 0;
  const heard = shares(voice);
  const stops = heard.map(([, share, colour]) => `${colour} ${(100 * at).toFixed(1)}% ${(100 * (at += share)).toFixed(1)}%`);
  const loudest = heard.reduce((one, other) => (other[1] > one[1] ? other : one), ["", 0, "transparent"]);
  return { "--tint": loudest[2], "--bar": stops.length ? `linear-gradient(to right, ${stops.join(", ")})` : "none" };
}

export function blendWords({ blend }) {
  const told = blend.filter(([, weight]) => Math.abs(weight) >= LEAST).sort((one, other) => other[1] - one[1]);
  return told.map(([name, weight]) => `${words(name)} ${two(weight)}`).join(", ") || "the base model";
}

export function voiceWords(voice) {
  return `from token ${voice.token}: ${blendWords(voice)}; temperature ${two(voice.temperature)}, top_p ${two(voice.top_p)}`;
}

// Signals as they were heard.
export function signalWords(signals) {
  return signals.map(([name, value]) => `${words(name)} ${two(value)}`).join(", ") || "no signal";
}

// Rectangles of a picture 100 wide and 1 high: over each voice's tokens its adapters on top of one another.
export function bands(voices, tokens) {
  const rectangles = [];
  voices.forEach((voice, index) => {
    const end = voices[index + 1]?.token ?? tokens;
    let y = 0;
    for (const [, share, colour] of shares(voice)) {
      const x = (100 * voice.token) / tokens;
      rectangles.push({ x, y, width: Math.max((100 * end) / tokens - x, 0), height: share, colour });
      y += share;
    }
  });
  return rectangles;
}
