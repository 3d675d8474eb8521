import { ChartHost } from "../chart/host.js"
import { api, isAbort } from "../core/api.js"
import { h } from "../core/dom.js"
import { store } from "../core/store.js"
import { problem } from "../ui/problem.js"
import { configurationCard, environmentCard } from "./facts.js"
import { RunHead } from "./head.js"
import { HistoryCard } from "./history.js"
import { LineageCard } from "./lineage.js"
import { LogCard } from "./log.js"
import { RunNumbers } from "./numbers.js"

/** One run: what it does, its curves, what it was asked and what happened to it. */
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
  const facts = h("div", { class: "run-facts" })
  root.append(top, pair, facts)
  if (known) for (const chart of charts) chart.show([known])
  let run
  try {
    run = await api.run(id, signal)
  } catch (error) {
    if (!isAbort(error)) root.replaceChildren(missing(error))
    return
  }
  store.put([run])
  document.title = `${run.name} · Backprop Lab`
  const head = new RunHead(run)
  const numbers = new RunNumbers(run)
  const history = new HistoryCard(id, signal)
  const lineage = new LineageCard(id, signal)
  const log = new LogCard(id, signal)
  top.replaceChildren(head.element, numbers.element)
  facts.append(configurationCard(run), h("div", { class: "run-column" }, environmentCard(run), lineage.element, history.element), log.element)
  if (!known) for (const chart of charts) chart.show([run])
  const update = () => {
    const current = store.get(id) ?? run
    head.update(current)
    numbers.update(current)
    document.title = `${current.name} · Backprop Lab`
  }
  update()
  store.listen(signal, (event) => {
    if (event.id !== id) return
    if (event.kind === "removed") return head.gone()
    update()
    if (event.kind === "epoch") lineage.renew()
    if (event.kind === "run") {
      history.load()
      lineage.load()
      refreshEnvironment(id, facts, signal)
    }
  })
}

async function refreshEnvironment(id, facts, signal) {
  const card = facts.querySelector("[data-testid=environment]")
  if (card.dataset.known) return
  const run = await api.run(id, signal).catch(() => null)
  if (run) card.replaceWith(environmentCard(run))
}

function missing(error) {
  return h("div", { class: "empty" }, h("h1", {}, "This run can't be shown"), problem(error.message), h("a", { class: "button", href: "/" }, "To the runs"))
}
