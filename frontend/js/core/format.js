import { h } from "./dom.js"

const RELATIVE_EVERY = 15_000 // milliseconds; how often shown ages are renewed
const NONE = "–"

const counts = new Intl.NumberFormat("en")
const days = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" })
const exact = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "long" })

/** A fraction as per cent without the sign, for a column whose head has it. */
export function percent(fraction, decimals = 2) {
  return fraction === null || fraction === undefined ? NONE : (100 * fraction).toFixed(decimals)
}

/** A cost in nats. */
export function cost(value) {
  if (value === null || value === undefined) return NONE
  return Math.abs(value) >= 1e4 ? value.toExponential(2) : value.toFixed(4)
}

/** "1,437". */
export function count(number) {
  return counts.format(number)
}

/** "3 runs", "1 run". */
export function plural(number, noun) {
  return `${counts.format(number)} ${noun}${number === 1 ? "" : "s"}`
}

/** "12.3 MB"; powers of ten, as a disk's maker counts. */
export function bytes(number) {
  if (!number) return "0 MB"
  if (number < 1e5) return `${(number / 1e3).toFixed(1)} kB`
  if (number < 1e9) return `${(number / 1e6).toFixed(1)} MB`
  return `${(number / 1e9).toFixed(2)} GB`
}

/** "42 s", "2 min 10 s", "3 h 05 min", "2 d 4 h". */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return NONE
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${pad(whole % 60)} s`
  if (whole < 86_400) return `${Math.floor(whole / 3600)} h ${pad(Math.floor((whole % 3600) / 60))} min`
  return `${Math.floor(whole / 86_400)} d ${Math.floor((whole % 86_400) / 3600)} h`
}

/** "1 min 20 s left": as exact as an estimate can be, so that it does not flicker. */
export function timeLeft(seconds) {
  if (seconds === null || seconds === undefined) return ""
  const step = seconds < 60 ? 5 : seconds < 600 ? 10 : 60
  const rounded = Math.max(step, Math.round(seconds / step) * step)
  if (rounded >= 600 && rounded < 3600) return `${Math.round(rounded / 60)} min left`
  return `${duration(rounded)} left`
}

/** "about 3 min", "about 2 h": a guess, and no more exact than one. */
export function about(seconds) {
  if (seconds < 90) return `about ${Math.max(5, Math.round(seconds / 5) * 5)} s`
  if (seconds < 5400) return `about ${Math.round(seconds / 60)} min`
  if (seconds < 129_600) return `about ${Math.round(seconds / 3600)} h`
  return `about ${Math.round(seconds / 86_400)} days`
}

/** Seconds between two times as the API writes them; until now where the second is null. */
export function secondsBetween(from, to) {
  return (to ? Date.parse(to) : Date.now()) / 1000 - Date.parse(from) / 1000
}

/** A `<time>`: how long ago it was, with the exact time on hover. It renews itself. */
export function ago(time) {
  const element = h("time", { datetime: time, title: exact.format(new Date(time)), "data-ago": true })
  element.textContent = relative(time)
  return element
}

/** The exact time, as text. */
export function exactTime(time) {
  return exact.format(new Date(time))
}

/** The configuration's word for a value: what a person would write. */
export function configValue(value, name) {
  if (value === null || value === undefined) return name.endsWith("_images") ? "all" : "–"
  if (typeof value === "boolean") return value ? "yes" : "no"
  if (typeof value === "number") return Math.abs(value) > 0 && Math.abs(value) < 1e-4 ? value.toExponential() : String(value)
  return Array.isArray(value) ? value.join(", ") || "none" : String(value)
}

/** "learning rate" for `learning_rate`. */
export function words(name) {
  return name.replaceAll("_", " ")
}

function relative(time) {
  const seconds = Math.max(0, secondsBetween(time, null))
  if (seconds < 45) return "just now"
  if (seconds < 5400) return `${Math.max(1, Math.round(seconds / 60))} min ago`
  if (seconds < 129_600) return `${Math.round(seconds / 3600)} h ago`
  if (seconds < 30 * 86_400) return `${Math.round(seconds / 86_400)} d ago`
  return days.format(new Date(time))
}

function pad(number) {
  return String(number).padStart(2, "0")
}

setInterval(() => {
  for (const element of document.querySelectorAll("time[data-ago]")) {
    const text = relative(element.dateTime)
    if (element.textContent !== text) element.textContent = text
  }
}, RELATIVE_EVERY)
