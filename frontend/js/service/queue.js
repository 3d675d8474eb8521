import { api, isAbort } from "../core/api.js"
import { h } from "../core/dom.js"
import { ago, duration, plural } from "../core/format.js"
import { store } from "../core/store.js"
import { card } from "../run/facts.js"
import { glyph } from "../ui/glyph.js"
import { icon } from "../ui/icons.js"
import { problem } from "../ui/problem.js"
import { phaseText } from "../ui/state.js"
import { stopRuns } from "../ui/steer.js"

const EVERY = 3_000 // milliseconds; workers send a heartbeat as often
const MOST = 200 // queued runs shown

/** Who trains what now, and what waits. */
export function queuePage({ root, signal }) {
  const workers = h("div", { class: "workers" }, h("div", { class: "card skeleton worker-skeleton" }))
  const queued = card("Queued", "queued", h("p", { class: "muted" }, "…"))
  root.append(h("div", { class: "page-head" }, h("h1", {}, "Queue")), workers, queued)
  const show = async () => {
    try {
      const [list, waiting] = await Promise.all([api.workers(signal), api.runs({ filter: "status = queued", sort: "created", limit: MOST }, signal)])
      store.put(waiting.runs)
      const ids = list.flatMap(({ runs }) => runs)
      const live = ids.length ? (await api.runs({ ids: ids.join(",") }, signal)).runs : []
      store.put(live)
      workers.replaceChildren(...(list.length ? [...list].sort((a, b) => b.alive - a.alive).map((worker) => workerCard(worker, live)) : [noWorker()]))
      queued.querySelector(".card-body").replaceChildren(queue(waiting, show))
    } catch (error) {
      if (!isAbort(error)) workers.replaceChildren(problem(error.message, show))
    }
  }
  const timer = setInterval(() => document.hidden || show(), EVERY)
  signal.addEventListener("abort", () => clearInterval(timer))
  show()
  return "Queue"
}

function workerCard(worker, live) {
  const runs = worker.runs.map((id) => live.find((run) => run.id === id)).filter(Boolean)
  const free = Math.max(0, worker.slots - worker.runs.length)
  const mark = h("span", { class: "state", "data-tone": worker.alive ? "good" : "bad" }, icon(worker.alive ? "tick" : "cross"), worker.alive ? "alive" : "gone")
  const beat = h("span", { class: "muted" }, `last seen ${duration(worker.heartbeat_age_s)} ago`)
  const lines = runs.map((run) => h("li", {}, glyph(run), h("a", { class: "run-link cut", href: `/runs/${run.id}` }, run.name), h("span", { class: "muted nowrap" }, phaseText(run))))
  const frees = worker.alive ? Array.from({ length: free }, () => h("li", { class: "muted slot-free" }, "free slot")) : []
  return h(
    "section",
    { class: "card worker", "data-testid": "worker" },
    h("div", { class: "card-head" }, h("h2", { class: "cut", title: worker.name }, worker.name), mark, beat),
    h("div", { class: "card-body" }, h("p", { class: "muted small" }, `${plural(worker.slots, "slot")}, ${plural(worker.threads_per_slot, "thread")} each, started `, ago(worker.started_at)), h("ul", { class: "slots" }, lines, frees)),
  )
}

function noWorker() {
  return h("div", { class: "card empty" }, h("h2", {}, "No worker is here"), h("p", { class: "muted" }, "Runs wait until one starts. `make run` starts one with the page; its output says why if it could not."))
}

function queue({ runs, total }, show) {
  if (runs.length === 0) return h("p", { class: "muted" }, "No run waits.")
  const sorted = [...runs].sort((a, b) => (a.queue_position ?? 0) - (b.queue_position ?? 0))
  const rows = sorted.map((run) => h("li", {}, h("span", { class: "number queue-place" }, run.queue_position), glyph(run), h("a", { class: "run-link cut", href: `/runs/${run.id}` }, run.name), h("span", { class: "muted nowrap" }, run.recovering ? "recovering, " : "", `${run.config.dataset}, ${plural(run.config.epochs, "epoch")}, launched `, ago(run.created_at)), h("button", { type: "button", class: "button button-small", "aria-label": `Stop ${run.name}`, onclick: async () => (await stopRuns([run.id]), show()) }, "Stop")))
  const more = total > runs.length ? h("p", { class: "muted" }, `The first ${runs.length} of ${total}.`) : null
  return h("div", {}, h("ol", { class: "queue" }, rows), more)
}
