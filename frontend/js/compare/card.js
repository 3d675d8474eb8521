import { plotly } from "../chart/plotly.js"
import { Redraw } from "../chart/redraw.js"
import { TableToggle } from "../chart/table.js"
import { Zoom } from "../chart/zoom.js"
import { api, isAbort } from "../core/api.js"
import { h, setAttribute } from "../core/dom.js"
import { onTheme, shownTheme } from "../core/theme.js"
import { problem } from "../ui/problem.js"

const CONFIG = { displayModeBar: false, responsive: false, doubleClick: false, showTips: false }
const RENEW_EVERY = 2_000 // milliseconds

/**
 * A figure of the whole comparison, drawn by the service, with a table of its numbers behind it.
 * `element` carries `data-chart` and `data-drawn` for tests and scripts.
 */
export class ComparedChart {
  element

  #name
  #signal
  #frame = h("div", { class: "chart-frame" })
  #plot = h("div", { class: "chart-plot", role: "img" })
  #note = h("p", { class: "chart-note" })
  #table
  #figure = null
  #query = {}
  #request = null
  #renewal = 0
  #isStale = false
  #drawn = 0
  #redraw = new Redraw(() => this.#draw())
  #zoom
  #heard

  /**
   * `tools` stand in the heading, and below it; `zoom` is what was zoomed into before, `zoomed` hears of another;
   * `heard` hears of the `layout.meta` of every figure.
   */
  constructor(name, title, signal, { tools = null, below = null, zoom = null, zoomed = () => {}, heard = () => {} } = {}) {
    this.#name = name
    this.#signal = signal
    this.#heard = heard
    this.#zoom = new Zoom(() => this.#redraw.now(), zoom, zoomed)
    this.#table = new TableToggle(title, () => this.#figure && numbersOf(this.#figure))
    this.#plot.setAttribute("aria-label", `${title}: nothing drawn yet`)
    this.#frame.append(this.#plot, this.#note, this.#table.element)
    this.element = h("section", { class: "card chart", "data-chart": name, "aria-label": `${title}, chart` }, h("div", { class: "card-head" }, h("h2", {}, title), h("span", { class: "header-space" }), this.#zoom.element, tools, this.#table.button), below, this.#frame)
    onTheme(signal, () => this.show(this.#query))
    const sizes = new ResizeObserver(() => this.#figure && this.#redraw.later())
    sizes.observe(this.#frame)
    signal.addEventListener("abort", () => {
      sizes.disconnect()
      this.#request?.abort()
      clearTimeout(this.#renewal)
      this.#redraw.stop()
      if (this.#drawn) window.Plotly.purge(this.#plot)
    })
  }

  /** Shows the view. */
  async show(query, name = this.#name) {
    this.#query = query
    this.#name = name
    this.element.dataset.chart = name
    clearTimeout(this.#renewal)
    this.#renewal = -1
    this.#isStale = false
    this.#request?.abort()
    const request = new AbortController()
    this.#request = request
    try {
      const [figure] = await Promise.all([api.figure(name, { ...query, theme: shownTheme(), width: this.#plot.clientWidth }, request.signal), plotly()])
      if (this.#signal.aborted || request !== this.#request) return
      this.#figure = figure
      this.#note.replaceChildren()
      this.#heard(figure.layout.meta)
      await this.#redraw.now()
      this.#table.update()
    } catch (error) {
      if (!isAbort(error)) this.#note.replaceChildren(problem(error.message, () => this.show(query)))
    }
    if (request !== this.#request) return
    this.#renewal = setTimeout(() => {
      this.#renewal = 0
      if (this.#isStale && !this.#signal.aborted) this.show(this.#query)
    }, RENEW_EVERY)
  }

  /** Other axes: what was zoomed into is no part of them. */
  showWhole() {
    this.#zoom.leave()
  }

  /** There are new numbers: the figure is fetched again, at most once in a while. */
  renew() {
    this.#isStale = true
    if (this.#renewal === 0) this.show(this.#query)
  }

  /** Draws the chart's picture as a file. */
  async save(format, filename) {
    const Plotly = await plotly()
    const { data, layout } = structuredClone(this.#figure)
    layout.paper_bgcolor = shownTheme() === "dark" ? "#171B1F" : "#FFFFFF"
    await Plotly.downloadImage({ data, layout, config: CONFIG }, { format, filename, width: 1000, height: 500, scale: format === "png" ? 2 : 1 })
  }

  async #draw() {
    if (this.#figure === null || this.#signal.aborted || this.#frame.offsetWidth === 0) return
    const Plotly = await plotly()
    if (this.#signal.aborted) return // the page was left meanwhile
    const layout = structuredClone(this.#figure.layout)
    Object.assign(layout, { width: this.#plot.clientWidth, height: this.#plot.clientHeight, dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom" })
    if (!layout.showlegend) layout.margin.t = 14
    this.#zoom.keep(layout)
    await Plotly.react(this.#plot, structuredClone(this.#figure.data), layout, CONFIG)
    if (this.#drawn === 0) this.#zoom.watch(this.#plot)
    this.#drawn += 1
    this.element.dataset.drawn = this.#drawn
    const points = this.#figure.data.reduce((sum, { x }) => sum + (x?.length ?? 0), 0)
    this.#note.replaceChildren(...(points ? [] : ["Nothing to draw yet."]))
    setAttribute(this.#plot, "aria-label", `${this.element.getAttribute("aria-label")}. Its numbers are in the table.`)
  }
}

/** What a figure draws, as rows. */
function numbersOf({ data, layout }) {
  const ticks = layout.xaxis?.ticktext
  const xTitle = layout.xaxis?.title?.text || "x"
  const yTitle = layout.yaxis?.title?.text || "value"
  const rows = []
  for (const trace of data.filter(({ hoverinfo }) => hoverinfo !== "skip")) {
    trace.x.forEach((x, place) => {
      const text = Array.isArray(trace.text) ? trace.text[place] : ""
      const name = ticks ? plain(trace.name) : plain(text || trace.name || "")
      rows.push(ticks ? [name, plain(text)] : [name, shown(x), shown(trace.y[place]), ...(trace.customdata ? [trace.customdata[place]] : [])])
    })
  }
  if (ticks) return { columns: ["run", "value"], rows }
  return { columns: ["", xTitle, yTitle, ...(data.some(({ customdata }) => customdata) ? ["interval"] : [])], rows }
}

function shown(value) {
  return typeof value === "number" ? String(+value.toPrecision(6)) : String(value ?? "–")
}

function plain(text) {
  return new DOMParser().parseFromString(text, "text/html").body.textContent
}
