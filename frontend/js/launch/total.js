import { plural, words } from "../core/format.js"

/** What is typed as seeds: nothing, a count, or a list. */
export function seedsFrom(text) {
  if (text === "") return null
  const numbers = text.split(",").map((part) => part.trim()).filter(Boolean).map((part) => (/^\d+$/.test(part) ? Number(part) : part))
  return text.includes(",") ? numbers : numbers[0]
}

/** "12 runs: 3 of epsilon, 2 seeds, each manual and dilated". */
export function totalText({ pair, seeds, grid }) {
  const number = Array.isArray(seeds) ? seeds.length : (seeds ?? 1)
  if (!Number.isInteger(number) || number < 1) return ""
  const points = Object.entries(grid).map(([name, values]) => [words(name), values.length])
  const total = points.reduce((product, [, size]) => product * size, number * (pair ? 2 : 1))
  const parts = [...points.map(([name, size]) => `${size} of ${name}`), ...(number > 1 ? [`${number} seeds`] : [])]
  const both = pair ? (parts.length > 0 ? ["each manual and dilated"] : ["manual and dilated"]) : []
  return [plural(total, "run"), [...parts, ...both].join(", ")].filter(Boolean).join(": ")
}
