import { h } from "../core/dom.js"
import { icon } from "./icons.js"

const LOOKS = {
  queued: ["clock", "quiet"],
  starting: ["dot", "live"],
  running: ["dot", "live"],
  pausing: ["ring", "live"],
  stopping: ["ring", "live"],
  paused: ["pause", "quiet"],
  stopped: ["stop", "quiet"],
  finished: ["tick", "good"],
  failed: ["cross", "bad"],
  recovering: ["recover", "warn"],
}
const LIVE = new Set(["starting", "running", "pausing", "stopping"])

/** A worker holds the run. */
export function isLive(run) {
  return LIVE.has(run.status)
}

/** The run may still change by itself. */
export function isOpen(run) {
  return isLive(run) || run.status === "queued"
}

/** What the state is called: a run that was lost and waits again is recovering. */
export function stateWord(run) {
  return run.recovering ? "recovering" : run.status
}

/** The name of a state's icon, and its tone: `quiet`, `live`, `good`, `bad` or `warn`. */
export function stateLook(word) {
  return LOOKS[word]
}

/** Icon, word and colour of a run's state; `update` shows another one. */
export function stateMark(run) {
  const element = h("span", { class: "state" })
  let shown = ""
  const update = (next) => {
    const word = stateWord(next)
    if (word === shown) return
    shown = word
    const [name, tone] = LOOKS[word]
    const sign = icon(name)
    if (tone === "live") sign.classList.add("pulse")
    element.dataset.tone = tone
    element.dataset.state = word
    element.replaceChildren(sign, h("span", {}, word))
  }
  update(run)
  return { element, update }
}

/** How much of a run is done, 0 to 1. */
export function doneFraction(run) {
  const done = run.epochs_done / run.config.epochs
  return isLive(run) && run.progress ? Math.max(done, Math.min(1, run.progress.fraction)) : done
}

/** What a live run does now, in words. */
export function phaseText(run) {
  if (run.status === "queued" && run.can_start === false) return run.waiting_for
  if (run.status === "queued") return run.queue_position ? `number ${run.queue_position} in the queue` : "waiting for a worker"
  if (!isLive(run)) return ""
  const { phase, epoch, note } = run.progress ?? {}
  if (note) return note
  if (phase === "loading") return "loading the images"
  if (phase === "compiling") return "compiling the first step"
  if (["training", "testing", "measuring"].includes(phase)) return `epoch ${epoch + 1} of ${run.config.epochs}${phase === "training" ? "" : `, ${phase}`}`
  return "starting its process"
}
