import { api } from "../core/api.js"
import { h } from "../core/dom.js"
import { ago, duration, plural, secondsBetween } from "../core/format.js"
import { glyph } from "../ui/glyph.js"
import { icon } from "../ui/icons.js"
import { phaseText } from "../ui/state.js"
import { toast, toastError } from "../ui/toast.js"

/** A card for each worker, those that are alive first; `live` are the runs that they hold, `show` draws anew. */
export function workerCards(workers, live, show) {
  if (workers.length === 0) return [noWorker()]
  const byId = new Map(live.map((run) => [run.id, run]))
  return [...workers].sort((a, b) => b.alive - a.alive).map((worker) => workerCard(worker, byId, show))
}

function workerCard(worker, runs, show) {
  const [word, tone, sign] = stateOf(worker)
  const mark = h("span", { class: "state", "data-tone": tone }, icon(sign), word)
  const memory = worker.alive ? [h("br"), memoryText(worker)] : []
  const facts = h("p", { class: "muted small" }, `${plural(worker.threads_per_slot, "thread")} for each run, started `, ago(worker.started_at), `, last seen ${duration(worker.heartbeat_age_s)} ago`, ...memory)
  const why = worker.state === "resting" && h("p", { class: "worker-why small", "data-testid": "worker-why" }, icon("warning", 14), h("span", {}, worker.state_sentence, ` Mend its cause and press "Take runs", or wait ${duration(restLeft(worker))}.`))
  // Of one that is gone only what it still holds matters: those runs are taken back.
  const devices = worker.devices.filter(({ run_id }) => worker.alive || run_id !== null).map((device) => deviceLine(device, runs, worker))
  return h(
    "section",
    { class: "card worker", "data-testid": "worker" },
    h("div", { class: "card-head" }, h("h2", { class: "cut", title: worker.name }, worker.name), mark, worker.alive && drainButton(worker, show)),
    h("div", { class: "card-body" }, why, facts, devices.length > 0 && h("ul", { class: "slots" }, devices)),
  )
}

function stateOf(worker) {
  if (!worker.alive) return ["gone", "bad", "cross"]
  return { resting: ["resting", "warn", "warning"], draining: ["draining", "warn", "pause"] }[worker.state] ?? ["alive", "good", "tick"]
}

function takesNone({ state }) {
  return state === "draining" || state === "resting"
}

/** Seconds until a resting worker takes runs again, of which the answer has told. */
function restLeft({ rests_until }) {
  return Math.max(1, secondsBetween(new Date().toISOString(), rests_until))
}

function memoryText({ memory_bytes, children_bytes }) {
  if (memory_bytes === null) return "Its memory is told with its next sign of life."
  return `Memory: ${size(memory_bytes)}, and ${size(children_bytes ?? 0)} in the processes that train or wait.`
}

function deviceLine(device, runs, worker) {
  const run = runs.get(device.run_id)
  const memory = device.memory_bytes === null ? "" : `, ${size(device.memory_bytes)}`
  const name = device.kind === "gpu" ? `GPU ${device.number}` : `CPU slot ${device.number + 1}`
  const title = device.kind === "gpu" ? `${device.name}${memory}` : "A share of the processor"
  const idle = takesNone(worker) ? "takes no run" : "free"
  const held = run
    ? [glyph(run), h("a", { class: "run-link cut", href: `/runs/${run.id}` }, run.name), h("span", { class: "muted nowrap" }, phaseText(run))]
    : [h("span", { class: "muted" }, idle)]
  return h("li", {}, h("span", { class: "muted nowrap device", title }, name), held)
}

function drainButton(worker, show) {
  const verb = takesNone(worker) ? "Take runs" : "Drain"
  const title = takesNone(worker) ? "It takes runs again." : "It finishes the runs that it has, and takes no more."
  const change = async () => {
    try {
      if (takesNone(worker)) await api.undrain(worker.id)
      else await api.drain(worker.id)
      toast(takesNone(worker) ? "The worker takes runs again." : "The worker finishes what it has, and takes no more.")
    } catch (error) {
      toastError(error)
    }
    show()
  }
  return h("button", { type: "button", class: "button button-small", title, "data-key": `drain-${worker.id}`, onclick: change }, verb)
}

function noWorker() {
  return h("div", { class: "card empty" }, h("h2", {}, "No worker is here"), h("p", { class: "muted" }, "Runs wait until one starts. `make run` starts one with the page; its output says why if it could not."))
}

function size(bytes) {
  return bytes < 1e9 ? `${Math.round(bytes / 1e6)} MB` : `${(bytes / 1e9).toFixed(1)} GB`
}
