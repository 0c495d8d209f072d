// How long ago, in words that do not change every second.

const MINUTE = 60;
const HOUR = 60 * MINUTE;

/** "less than 5 seconds", "half a minute", "3 minutes": the words for an age in milliseconds. */
export function age(milliseconds) {
  const seconds = Math.max(0, milliseconds / 1000);
  if (seconds < 5) return "less than 5 seconds";
  if (seconds < 10) return "less than 10 seconds";
  if (seconds < 20) return "less than 20 seconds";
  if (seconds < 40) return "half a minute";
  if (seconds < MINUTE) return "less than a minute";
  if (seconds < HOUR) return plural(Math.round(seconds / MINUTE), "minute");
  return plural(Math.round(seconds / HOUR), "hour");
}

const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;
