import { h } from "../core/dom.js"
import { spread } from "./spread.js"

const GAP = 16 // px between the middles of two labels
const ROOM = 8 // px between a line's end and its label

/**
 * Direct labels: a layer over the plot, moved after every drawing, so that they follow live points, zoom and resizing
 * without a second drawing by Plotly. Their words and colours are those of the figure's own `label:` annotations.
 */
export class Labels {
  #layer = h("div", { class: "chart-labels", "aria-hidden": "true" })
  #labels = []

  constructor(frame) {
    frame.append(this.#layer)
  }

  /** Takes the labels of a figure; gives the room in px that they need at its right, 0 where there are none. */
  take(annotations) {
    this.#labels = annotations
      .filter(({ name }) => name?.startsWith("label:"))
      .map(({ name, text, font }) => {
        const [, runId, metric] = name.split(":")
        const element = h("span", { vars: { color: font.color } }, plain(text))
        return { runId: Number(runId), metric, element }
      })
    this.#layer.replaceChildren(...this.#labels.map(({ element }) => element))
    const widths = this.#labels.map(({ element }) => element.offsetWidth)
    return widths.length ? Math.max(...widths) + ROOM + 4 : 0
  }

  hide() {
    this.#layer.hidden = true
  }

  /** Puts every label beside its line's last point. */
  place(plot, findLine) {
    this.#layer.hidden = false
    const { xaxis, yaxis } = plot._fullLayout
    const shown = this.#labels.filter((label) => {
      const line = findLine(label.runId, label.metric)
      const last = line && line.visible !== false ? line.y.findLastIndex((value) => value !== null) : -1
      label.x = last < 0 ? NaN : xaxis.l2p(line.x[last])
      label.y = last < 0 ? NaN : yaxis.l2p(line.y[last])
      const inside = label.x >= -1 && label.x <= xaxis._length + 1 && label.y >= -1 && label.y <= yaxis._length + 1
      label.element.hidden = !inside
      return inside
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
