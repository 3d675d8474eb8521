import { h } from "../core/dom.js"
import { epochAxis, tickStep } from "./axis.js"

/** What a reader has zoomed into: kept by every update, left by a double press in the plot or by `element`. */
export class Zoom {
  element = h("button", { type: "button", class: "link-button small nowrap", hidden: true }, "Whole chart")

  #revision = 0
  #ranges // of epochs and of values; null: the whole chart
  #isFlat = false // whether only the axis below was zoomed
  #redraw
  #tell

  /** `ranges` is what was zoomed into before (null: nothing); `tell` hears of every change of it. */
  constructor(redraw, ranges = null, tell = () => {}) {
    this.#redraw = redraw
    this.#ranges = ranges
    this.#tell = tell
    this.element.hidden = ranges === null
    this.element.addEventListener("click", () => this.leave())
  }

  /** Follows what is done in a plot, once it is drawn. */
  watch(plot) {
    plot.on("plotly_doubleclick", () => this.leave())
    plot.on("plotly_relayout", (change) => {
      const changed = Object.keys(change).filter((key) => /^[xy]axis\.range/.test(key))
      if (!changed.length) return
      this.#isFlat = (this.#ranges === null || this.#isFlat) && changed.every((key) => key.startsWith("x"))
      const { xaxis, yaxis } = plot._fullLayout
      this.#ranges = { x: [...xaxis.range], y: [...yaxis.range] }
      this.element.hidden = false
      this.#tell(this.#ranges)
      this.#redraw()
    })
  }

  /** Writes the axes into a layout: those of runs of `total` epochs (null: not over epochs), or what is zoomed into. */
  apply(layout, total, done) {
    layout.uirevision = this.#revision
    if (this.#ranges === null) {
      if (total === null) Object.assign(layout.xaxis, { range: undefined, autorange: true })
      else Object.assign(layout.xaxis, epochAxis(total, done))
      // Plotly writes into the layout that it is given: a range of a zoom that was left would stay.
      Object.assign(layout.yaxis, { range: undefined, autorange: true })
    } else {
      this.keep(layout)
      const { x } = this.#ranges
      if (total !== null) layout.xaxis.dtick = tickStep(x[1] - x[0])
    }
  }

  /** The part of the axis below that is zoomed into; null: all of it. */
  get x() {
    return this.#ranges?.x ?? null
  }

  /**
   * Writes what is zoomed into into a layout; the whole chart has the axes that it came with. `fits`: the figure is of
   * that part alone, and its axis of values fits it unless that was zoomed too.
   */
  keep(layout, fits = false) {
    layout.uirevision = this.#revision
    if (this.#ranges === null) return
    Object.assign(layout.xaxis, { range: [...this.#ranges.x], autorange: false })
    if (!(fits && this.#isFlat)) Object.assign(layout.yaxis, { range: [...this.#ranges.y], autorange: false })
  }

  leave() {
    if (this.forget()) this.#redraw()
  }

  /** The whole chart again with whatever is drawn next; says whether it was not. */
  forget() {
    if (this.#ranges === null) return false
    this.#ranges = null
    this.#revision += 1
    this.element.hidden = true
    this.#tell(null)
    return true
  }
}
