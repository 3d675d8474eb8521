import { api, isAbort } from "../core/api.js"
import { h } from "../core/dom.js"
import { about, ago, plural, secondsBetween } from "../core/format.js"
import { store } from "../core/store.js"
import { card } from "../run/facts.js"
import { glyph } from "../ui/glyph.js"
import { icon } from "../ui/icons.js"
import { problem } from "../ui/problem.js"
import { stopRuns } from "../ui/steer.js"
import { toastError } from "../ui/toast.js"
import { workerCards } from "./workers.js"

const EVERY = 3_000 // milliseconds; workers send a heartbeat as often
const MOST = 200 // queued runs shown
const SOON = 5 // seconds

/** Who trains what now, and what waits. */
export function queuePage({ root, signal }) {
  const workers = h("div", { class: "workers" }, h("div", { class: "card skeleton worker-skeleton" }))
  const queued = card("Queued", "queued", h("p", { class: "muted" }, "…"))
  const warnings = h("ul", { class: "service-warnings" })
  root.append(h("div", { class: "page-head" }, h("h1", {}, "Queue")), warnings, workers, queued)
  const show = async () => {
    try {
      const [list, waiting] = await Promise.all([api.workers(signal), api.queue({ limit: MOST }, signal)])
      store.put(waiting.entries.map(({ run }) => run))
      const ids = list.flatMap(({ runs }) => runs)
      const live = ids.length ? (await api.runs({ ids: ids.join(",") }, signal)).runs : []
      store.put(live)
      redraw(workers, workerCards(list, live, show))
      redraw(queued.querySelector(".card-body"), [queue(waiting, show)])
    } catch (error) {
      if (!isAbort(error)) workers.replaceChildren(problem(error.message, show))
    }
  }
  // What does not change while the service runs is asked for once; without an answer the page does its work all the same.
  api.health(signal).then((health) => warnings.replaceChildren(...health.warnings.map(warning)), () => {})
  const timer = setInterval(() => document.hidden || show(), EVERY)
  signal.addEventListener("abort", () => clearInterval(timer))
  show()
  return "Queue"
}

function warning(sentence) {
  return h("li", { class: "problem" }, icon("warning"), h("p", {}, sentence))
}

/** Replaces the content: not while somebody types there, and the focus stays on the same button. */
function redraw(element, content) {
  const active = element.contains(document.activeElement) ? document.activeElement : null
  if (active?.matches("input")) return
  element.replaceChildren(...content)
  if (active?.dataset.key) element.querySelector(`[data-key="${active.dataset.key}"]`)?.focus({ preventScroll: true })
}

function queue({ entries, total }, show) {
  if (entries.length === 0) return h("p", { class: "muted" }, "No run waits. What is launched begins at once where a slot is free.")
  const rows = entries.map((entry, place) => row(entry, entries[place - 1] ?? null, show))
  const more = total > entries.length ? h("p", { class: "muted" }, `The first ${entries.length} of ${total}.`) : null
  return h("div", {}, h("ol", { class: "queue" }, rows), more)
}

function row(entry, before, show) {
  const { run, position } = entry
  const what = `${run.recovering ? "recovering, " : ""}${run.config.dataset}, ${plural(run.config.epochs, "epoch")}`
  const reason = entry.can_start ? h("span", {}, entry.waiting_for) : h("span", { class: "queue-blocked" }, icon("warning", 14), entry.waiting_for)
  const act = (name, word, action) => button(run, name, word, async () => {
    try {
      await action()
    } catch (error) {
      toastError(error)
    }
    show()
  })
  const up = act("up", `Move ${run.name} up`, () => api.moveInQueue(run.id, before.run.id))
  const front = act("front", `Move ${run.name} to the front`, () => api.moveInQueue(run.id, null))
  up.disabled = front.disabled = before === null
  return h(
    "li",
    {},
    h("span", { class: "number queue-place" }, position),
    glyph(run),
    h(
      "div",
      { class: "queue-run" },
      h("div", { class: "queue-name" }, h("a", { class: "run-link cut", href: `/runs/${run.id}` }, run.name), h("span", { class: "muted nowrap" }, what)),
      h("div", { class: "muted small queue-wait" }, reason, h("span", {}, "queued ", ago(entry.waiting_since)), h("span", {}, startText(entry))),
    ),
    h("div", { class: "queue-actions" }, priority(run, show), up, front, h("button", { type: "button", class: "button button-small", "aria-label": `Stop ${run.name}`, "data-key": `stop-${run.id}`, onclick: async () => (await stopRuns([run.id]), show()) }, "Stop")),
  )
}

function startText({ can_start, expected_start_at }) {
  if (!can_start) return ""
  if (expected_start_at === null) return "start not known yet"
  const seconds = secondsBetween(new Date().toISOString(), expected_start_at)
  return seconds < SOON ? "starts soon" : `starts in ${about(seconds)}`
}

function button(run, name, label, onclick) {
  const words = { up: "Up", front: "Front" }
  return h("button", { type: "button", class: "button button-small", "aria-label": label, title: label, "data-key": `${name}-${run.id}`, onclick }, words[name])
}

function priority(run, show) {
  const field = h("input", { type: "number", class: "input queue-priority", min: -1000, max: 1000, step: 1, value: run.priority, "aria-label": `Priority of ${run.name}` })
  field.addEventListener("change", async () => {
    try {
      store.apply("run", await api.change(run.id, { priority: Number(field.value) }))
    } catch (error) {
      toastError(error)
    }
    field.blur()
    show()
  })
  return h("label", { class: "queue-rank small muted", title: "Runs with the greatest priority begin first; 0 is usual." }, "priority", field)
}
