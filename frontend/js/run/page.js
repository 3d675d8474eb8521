import { ChartHost } from "../chart/host.js"
import { api, isAbort } from "../core/api.js"
import { h } from "../core/dom.js"
import { store } from "../core/store.js"
import { problem } from "../ui/problem.js"
import { BatchesSection } from "./batches.js"
import { contents } from "./contents.js"
import { ExamplesSection } from "./examples.js"
import { configurationCard, environmentCard } from "./facts.js"
import { GradientsSection } from "./gradients.js"
import { RunHead } from "./head.js"
import { HistoryCard } from "./history.js"
import { imagesSection } from "./images.js"
import { LineageCard } from "./lineage.js"
import { LogCard } from "./log.js"
import { notesCard } from "./notes.js"
import { RunNumbers } from "./numbers.js"
import { RobustnessSection } from "./robustness.js"
import { section } from "./section.js"
import { SystemSection } from "./system.js"

/** One run: what it does, its curves, what was measured, what it was asked and what happened to it. */
export function runPage({ root, match, signal }) {
  const id = Number(match[1])
  load(root, id, signal)
  return `Run ${id}`
}

async function load(root, id, signal) {
  const charts = [new ChartHost("accuracy", "Accuracy", signal), new ChartHost("cost", "Cost", signal)]
  const pair = h("div", { class: "chart-pair" }, charts.map(({ element }) => element))
  const known = store.get(id)
  const top = h("div", { class: "run-top" }, known ? null : h("div", { class: "skeleton run-top-skeleton" }))
  const nav = h("div", { class: "contents-place" })
  root.append(top, nav, pair)
  if (known) for (const chart of charts) chart.show([known])
  let run
  try {
    run = await api.run(id, signal)
  } catch (error) {
    if (!isAbort(error)) root.replaceChildren(missing(error))
    return
  }
  store.put([run])
  const head = new RunHead(run)
  const numbers = new RunNumbers(run)
  top.replaceChildren(head.element, numbers.element)
  if (!known) for (const chart of charts) chart.show([run])
  const batches = new BatchesSection(run, signal)
  const gradients = new GradientsSection(run, signal)
  const measured = [gradients, new RobustnessSection(run, signal), new ExamplesSection(run, signal)]
  const system = new SystemSection(run, signal, (peak) => numbers.setPeak(peak))
  const about = new About(run, signal)
  const sections = [batches.element, ...measured.map(({ element }) => element), imagesSection(run, signal), system.element, about.element]
  root.append(...sections)
  nav.append(contents(sections, signal))
  const update = () => {
    const current = store.get(id) ?? run
    head.update(current)
    numbers.update(current)
    batches.update(current)
    gradients.update(current)
    system.update(current)
    document.title = `${current.name} · Backprop Lab`
  }
  update()
  store.listen(signal, (event) => {
    if (event.id !== id) return
    if (event.kind === "removed") return head.gone()
    update()
    if (event.kind === "measured") for (const part of measured) part.renew()
    if (event.kind === "epoch") about.epoch()
    if (event.kind === "run") about.changed()
  })
}

/** What the run was asked, where it ran, what is kept of it and what happened to it. */
class About {
  #id
  #signal
  #history
  #lineage
  #column

  constructor(run, signal) {
    this.#id = run.id
    this.#signal = signal
    this.#history = new HistoryCard(run.id, signal)
    this.#lineage = new LineageCard(run.id, signal)
    this.#column = h("div", { class: "run-column" }, notesCard(run), environmentCard(run), this.#lineage.element, this.#history.element)
    const facts = h("div", { class: "run-facts" }, configurationCard(run), this.#column, new LogCard(run.id, signal).element)
    this.element = section("about", "Configuration and history", "", facts)
  }

  epoch() {
    this.#lineage.renew()
  }

  async changed() {
    this.#history.load()
    this.#lineage.load()
    const card = this.#column.querySelector("[data-testid=environment]")
    if (card.dataset.known) return
    const run = await api.run(this.#id, this.#signal).catch(() => null)
    if (run) card.replaceWith(environmentCard(run))
  }
}

function missing(error) {
  return h("div", { class: "empty" }, h("h1", {}, "This run can't be shown"), problem(error.message), h("a", { class: "button", href: "/" }, "To the runs"))
}
