import { svg } from "../core/dom.js"

const WIDTH = 88 // px, of a spark line
const HEIGHT = 22

/** Lets an element and what is in it be drawn in the run's colour, in both themes. */
export function inRunColor(element, style) {
  element.classList.add("run-color")
  element.style.setProperty("--run-light", style.color)
  element.style.setProperty("--run-dark", style.dark_color)
  return element
}

/** The run's marker in its colour: a circle is manual, a diamond dilated. */
export function glyph(run, size = 12) {
  const shape =
    run.style.marker === "diamond"
      ? svg("path", { d: "M6 0.5L11.5 6 6 11.5 0.5 6z" })
      : svg("circle", { cx: 6, cy: 6, r: 4.6 })
  const frame = { class: "glyph", width: size, height: size, viewBox: "0 0 12 12", fill: "currentColor", "aria-hidden": "true" }
  return inRunColor(svg("svg", frame, shape), run.style)
}

/** A small line of test accuracy by epoch, from the least to the greatest value; its width is the whole run's. */
export function sparkLine(run) {
  const path = svg("path", { stroke: "currentColor" })
  const end = svg("circle", { r: 2, fill: "currentColor", visibility: "hidden" })
  const frame = { class: "spark", width: WIDTH, height: HEIGHT, viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": "no epoch yet" }
  const element = inRunColor(svg("svg", frame, path, end), run.style)
  const draw = (numbers, values, epochs) => {
    const known = values.filter((value) => value !== null)
    if (known.length === 0) return
    const low = Math.min(...known)
    const height = Math.max(Math.max(...known) - low, 1e-9)
    const place = (value, index) => [
      ((numbers[index] + 1) / Math.max(epochs, numbers.at(-1) + 1)) * (WIDTH - 4),
      HEIGHT - 3 - ((value - low) / height) * (HEIGHT - 6),
    ]
    path.setAttribute("d", lineThrough(values, place))
    const last = values.findLastIndex((value) => value !== null)
    const [x, y] = place(values[last], last)
    for (const [name, value] of Object.entries({ cx: x, cy: y, visibility: "visible" })) end.setAttribute(name, value)
    element.setAttribute("aria-label", `test accuracy from ${(100 * values.find((value) => value !== null)).toFixed(1)} to ${(100 * values[last]).toFixed(1)} per cent`)
    element.dataset.points = values.length
  }
  return { element, draw }
}

function lineThrough(values, place) {
  let d = ""
  let pen = "M"
  values.forEach((value, index) => {
    if (value === null) {
      pen = "M"
      return
    }
    const [x, y] = place(value, index)
    d += `${pen}${x.toFixed(1)} ${y.toFixed(1)}`
    pen = "L"
  })
  return d
}
