import { h, setAttribute } from "../core/dom.js"
import { spread } from "./spread.js"

const GAP = 16 // px between the middles of two labels
const ROOM = 6 // px between a line's end and its label

/**
 * Direct labels: a layer over the plot, moved after every drawing, so that they follow live points, zoom and resizing
 * without a second drawing by Plotly. Their words and colours are those of the figure's own `label:` annotations.
 * Each is a button that hides its line, or all lines of its run where not every line has a label; it stays where the
 * hidden line ends, and shows it again.
 */
export class Labels {
  #layer = h("div", { class: "chart-labels" })
  #labels = []
  #emphasis
  #toggle
  #room = 0

  constructor(frame, emphasis, toggle) {
    this.#emphasis = emphasis
    this.#toggle = toggle
    frame.append(this.#layer)
  }

  /** Takes the labels of a figure that has so many lines. */
  take(annotations, lines) {
    const found = annotations.filter(({ name }) => name?.startsWith("label:"))
    this.#labels = found.map(({ name, text, font }) => {
      const [, owner, metric] = name.split(":")
      const element = h("button", { type: "button", class: "chart-label", vars: { color: font.color } }, plain(text))
      element.addEventListener("click", () => this.#toggle(owner, found.length === lines ? metric : null))
      this.#emphasis.offer(element, owner)
      return { owner, metric, element }
    })
    this.#room = 0
    this.#layer.replaceChildren(...this.#labels.map(({ element }) => element))
  }

  get exist() {
    return this.#labels.length > 0
  }

  /** Room in px that the longest label needs right of the plot. */
  get room() {
    if (this.#room === 0) {
      this.#layer.hidden = false
      for (const { element } of this.#labels) element.hidden = false
      this.#room = ROOM + Math.max(...this.#labels.map(({ element }) => Math.ceil(element.getBoundingClientRect().width)))
    }
    return this.#room
  }

  hide() {
    this.#layer.hidden = true
  }

  /** Puts every label beside its line's last point. */
  place(plot, findLine) {
    this.#layer.hidden = false
    const { xaxis, yaxis } = plot._fullLayout
    const shown = this.#labels.filter((label) => {
      const line = findLine(label.owner, label.metric)
      const last = line ? line.y.findLastIndex((value) => value !== null) : -1
      const isHidden = last >= 0 && line.visible === false
      label.x = last < 0 ? NaN : xaxis.d2p(line.x[last])
      label.y = last < 0 ? NaN : yaxis.d2p(line.y[last])
      // The axis no longer makes room for a line that is hidden; its label is the way back.
      if (isHidden) label.y = Math.min(Math.max(label.y, 0), yaxis._length)
      const isInside = label.x >= -1 && label.x <= xaxis._length + 1 && label.y >= -1 && label.y <= yaxis._length + 1
      label.element.hidden = !isInside
      setAttribute(label.element, "aria-pressed", String(!isHidden))
      setAttribute(label.element, "title", isHidden ? "Show this line" : "Hide this line")
      return isInside
    })
    const heights = spread(shown.map(({ y }) => y), GAP, 0, yaxis._length)
    shown.forEach(({ element, x }, place) => {
      element.style.transform = `translate(${xaxis._offset + x + ROOM}px, ${yaxis._offset + heights[place] - GAP / 2}px)`
    })
  }
}

function plain(text) {
  return new DOMParser().parseFromString(text, "text/html").body.textContent
}
