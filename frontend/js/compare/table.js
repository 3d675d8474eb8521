import { h, setAttribute, setText } from "../core/dom.js"
import { configValue, cost, percent, words } from "../core/format.js"
import { store } from "../core/store.js"
import { glyph } from "../ui/glyph.js"
import { icon } from "../ui/icons.js"
import { stateMark } from "../ui/state.js"

/**
 * Runs, or groups and their runs: only what differs between the configurations, and what came of them. Numbers are
 * those of the comparison that the service made; states and counts of epochs follow the stream.
 */
export class CompareTable {
  element = h("section", { class: "card", "aria-label": "What differs, and results", "data-testid": "differences" })

  #remove
  #point
  #base
  #rows = new Map()
  #shape = ""

  /** `remove` takes a run out, `point` hears which row the pointer is on (or null), `base` which is the new baseline. */
  constructor({ remove, point, base }) {
    this.#remove = remove
    this.#point = point
    this.#base = base
  }

  /** Shows a comparison. Rows that are there stay, and only their words change. */
  show(comparison, isGrouped) {
    const { runs, groups, differing, metric, epoch } = comparison
    const hasBase = runs.some(({ id }) => String(id) === comparison.baseline)
    const shape = JSON.stringify([hasBase, runs.map(({ id, label }) => [id, label]), isGrouped && groups.map(({ key, label }) => [key, label]), differing, metric, epoch])
    if (shape !== this.#shape) this.#build(comparison, isGrouped, hasBase)
    this.#shape = shape
    if (isGrouped) for (const group of groups) this.#rows.get(group.key)?.(group, comparison)
    for (const run of runs) this.#rows.get(run.id)?.(run, comparison)
    this.update()
  }

  /** Renews what the stream tells: names, states, epochs done. */
  update() {
    for (const live of this.#rows.values()) live.follow?.()
  }

  #build(comparison, isGrouped, hasBase) {
    const { runs, groups, differing, metric, epoch, total } = comparison
    this.#rows = new Map()
    const unit = metric.endsWith("accuracy") ? ", %" : ", nats"
    const difference = `difference${metric.endsWith("accuracy") ? ", points" : unit}`
    const of = (last, best) => [`${last}${unit}`, `${best}${unit}`, `at epoch ${epoch ?? "–"}${unit}`]
    const results = [...of("last", "best"), difference]
    const ofRun = [`last${unit} · epoch`, `best${unit} · epoch`, `at epoch ${epoch ?? "–"}${unit}`, ...(hasBase ? [difference] : [])]
    const number = (name, place) => h("th", { scope: "col", class: place ? "number" : "number first" }, name)
    const parts = []
    if (isGrouped) {
      const head = h("tr", {}, ["group", "runs", ...results].map((name, place) => (place ? number(name, place - 1) : h("th", { scope: "col" }, name))))
      const rows = groups.map((group) => this.#group(group))
      parts.push(h("div", { class: "card-head" }, h("h2", {}, "Groups"), h("span", { class: "muted small" }, words(metric))), frame(head, rows))
    }
    const top = h("tr", {}, h("th", { scope: "col" }), differing.length ? h("th", { scope: "colgroup", colspan: differing.length, class: "group" }, "what differs") : null, h("th", { scope: "colgroup", colspan: 2, class: "group" }, "progress"), h("th", { scope: "colgroup", colspan: ofRun.length, class: "group" }, words(metric)))
    const head = h("tr", {}, h("th", { scope: "col" }, "run"), differing.map((name, place) => number(words(name), place)), h("th", { scope: "col", class: "first" }, "state"), h("th", { scope: "col", class: "number" }, "epochs done"), ofRun.map(number))
    const note = runs.length > 1 && differing.length === 0 ? h("p", { class: "muted card-body" }, "These runs have equal configurations.") : null
    const more = total > runs.length ? h("span", { class: "muted small" }, `the newest ${runs.length} of ${total} that meet the filter`) : null
    parts.push(h("div", { class: "card-head" }, h("h2", {}, runs.length === 1 ? "Run" : "Runs"), more), note, frame([top, head], runs.map((run) => this.#run(run, differing, ofRun.length))))
    parts.push(h("p", { class: "muted small card-body" }, "last: each run's newest value. best: chosen among all its epochs, so it flatters long runs. at epoch: the same epoch for all."))
    this.element.replaceChildren(...parts.filter(Boolean))
  }

  #group(group) {
    const cells = Array.from({ length: 5 }, (_, place) => h("td", { class: place ? "number" : "number first" }))
    const mark = h("button", { type: "button", class: "link-button small base-button", onclick: () => this.#base({ baseline: group.key }) }, "baseline")
    const element = h("tr", { "data-group": group.key, onpointerenter: () => this.#point(group.key), onpointerleave: () => this.#point(null) }, h("th", { scope: "row" }, h("div", { class: "run-name" }, h("span", { class: "cut", title: group.label }, group.label), mark)), cells)
    this.#rows.set(group.key, ({ runs, last, best, at, difference }, { metric, baseline }) => {
      const texts = [String(runs.length), ...[last, best, at].map((value) => groupValue(value, metric)), signed(difference, metric)]
      texts.forEach((text, place) => setText(cells[place], text))
      setAttribute(mark, "aria-pressed", String(baseline === group.key))
      setText(mark, baseline === group.key ? "is baseline" : "baseline")
    })
    return element
  }

  #run(run, differing, results) {
    const known = store.get(run.id)
    const state = known ? stateMark(known) : { element: h("span", {}, run.status), update: () => {} }
    const name = h("a", { href: `/runs/${run.id}`, class: "run-link cut" }, run.label)
    const done = h("td", { class: "number" })
    const cells = Array.from({ length: results }, (_, place) => h("td", { class: place ? "number" : "number first" }))
    const base = h("button", { type: "button", class: "link-button small base-button", onclick: () => this.#base({ baseline: String(run.id) }) }, "baseline")
    const remove = h("button", { type: "button", class: "button button-quiet button-small button-square", "aria-label": `Remove ${run.name} from the comparison`, title: "Remove from the comparison", onclick: () => this.#remove(run.id) }, icon("close"))
    const values = differing.map((field, place) => h("td", { class: place ? "number" : "number first" }, field in run.differs ? configValue(run.differs[field], field) : "–"))
    const element = h("tr", { "data-run": run.id, onpointerenter: () => this.#point(run.id), onpointerleave: () => this.#point(null) }, h("th", { scope: "row" }, h("div", { class: "run-name" }, known ? glyph(known) : null, name, base, remove)), values, h("td", { class: "first" }, state.element), done, cells)
    const update = ({ last, best, at, difference, non_finite }, { metric, baseline }) => {
      const texts = [point(last, metric), point(best, metric), at === null ? "–" : value(at.value, metric), signed(difference, metric)]
      if (non_finite) texts[0] += ` (${non_finite} not finite)`
      cells.forEach((cell, place) => setText(cell, texts[place]))
      setText(base, baseline === String(run.id) ? "is baseline" : "baseline")
      setAttribute(base, "aria-pressed", String(baseline === String(run.id)))
    }
    update.follow = () => {
      const current = store.get(run.id)
      if (!current) return
      state.update(current)
      if (current.name !== run.name) setText(name, current.name)
      name.title = current.name
      setText(done, `${current.epochs_done}/${current.config.epochs}`)
    }
    this.#rows.set(run.id, update)
    return element
  }
}

function frame(head, rows) {
  return h("div", { class: "table-frame" }, h("table", { class: "compare-table" }, h("thead", {}, head), h("tbody", {}, rows)))
}

function value(number, metric) {
  return (metric.endsWith("accuracy") ? percent(number) : cost(number)).replace("-", "−")
}

function point(found, metric) {
  return found === null ? "–" : `${value(found.value, metric)} · ${found.epoch}`
}

function groupValue({ value: center, low, high, n }, metric) {
  if (center === null) return "–"
  const band = low === null ? "" : ` (${value(low, metric)} to ${value(high, metric)})`
  return `${value(center, metric)}${band}, n = ${n}`
}

function signed(difference, metric) {
  if (difference === null) return "–"
  const text = value(difference, metric)
  return difference > 0 ? `+${text}` : text
}
