import { api } from "../core/api.js"
import { h, setAttribute, setText } from "../core/dom.js"
import { timeLeft } from "../core/format.js"
import { go } from "../core/router.js"
import { store } from "../core/store.js"
import { glyph } from "../ui/glyph.js"
import { icon } from "../ui/icons.js"
import { problem } from "../ui/problem.js"
import { doneFraction, isLive, isOpen, phaseText, stateMark } from "../ui/state.js"
import { pauseRuns, restoreRuns, resumeRuns, stopRuns, trashRuns } from "../ui/steer.js"
import { toastError } from "../ui/toast.js"
import { verdictMark } from "../ui/verdict.js"
import { editableText } from "./edit.js"

/** A run's name, tags and state, and what can be done with it. */
export class RunHead {
  #run
  #name
  #tags
  #state
  #audit
  #line = h("span", { class: "muted", "data-testid": "state-line" })
  #bar = h("i", {})
  #barFrame = h("span", { class: "bar run-bar", role: "progressbar", "aria-label": "Done", "aria-valuemin": 0, "aria-valuemax": 100 })
  #stop = button("stop", "Stop", () => stopRuns([this.#run.id]))
  #pause = button("pause", "Pause", () => pauseRuns([this.#run.id]))
  #resume = button("play", "Resume", () => resumeRuns([this.#run.id]))
  #clone = h("a", { class: "button" }, icon("copy"), "Clone")
  #compare = h("a", { class: "button" }, icon("compare"), "Compare")
  #delete = button("trash", "Delete", () => this.#trash())
  #restore = button("restore", "Restore", () => restoreRuns([this.#run.id]))
  #error = h("div", { class: "run-error" })
  #wasOpen = false

  constructor(run) {
    this.#run = run
    this.#state = stateMark(run)
    this.#state.element.setAttribute("role", "status")
    this.#audit = verdictMark(run.audit)
    this.#barFrame.append(this.#bar)
    this.#clone.href = `#launch=${run.id}`
    this.#name = editableText(run.name, "h1", "Name of the run", 200, (name) => this.#change({ name }))
    this.#tags = editableText(run.tags.join(", "), "span", "Tags, comma between", 1000, (text) => this.#change({ tags: tagsOf(text) }), "add tags")
    const title = h("div", { class: "run-title" }, glyph(run, 16), this.#name.element)
    const buttons = h("div", { class: "run-buttons" }, this.#resume, this.#pause, this.#stop, this.#compare, this.#clone, this.#delete, this.#restore)
    const line = h("div", { class: "run-line" }, this.#state.element, this.#audit.element, this.#line, this.#barFrame, h("span", { class: "run-tags" }, this.#tags.element))
    this.element = h("header", { class: "run-head" }, h("nav", { class: "small muted", "aria-label": "Where this is" }, h("a", { href: "/" }, "Runs"), ` / ${run.id}`), h("div", { class: "run-head-row" }, title, buttons), line, this.#error)
    this.update(run)
  }

  update(run) {
    this.#run = run
    const live = isLive(run)
    this.#state.update(run)
    this.#audit.update(run.audit)
    this.#name.show(run.name)
    this.#tags.show(run.tags.join(", "))
    setText(this.#line, lineText(run))
    this.#barFrame.style.visibility = live ? "visible" : "hidden"
    this.#bar.style.transform = `scaleX(${doneFraction(run)})`
    this.#barFrame.setAttribute("aria-valuenow", Math.round(100 * doneFraction(run)))
    this.#compare.href = `/compare?runs=${run.id}`
    // A button stays where it was, and keeps the focus: what follows would slip under the pointer otherwise.
    this.#wasOpen ||= isOpen(run)
    this.#stop.hidden = !this.#wasOpen && !run.actions.includes("stop")
    forbid(this.#stop, run.actions.includes("stop") ? "" : isOpen(run) ? "This run is stopping." : "This run has ended.")
    this.#resume.hidden = !run.actions.includes("resume")
    this.#pause.hidden = !this.#wasOpen || !this.#resume.hidden
    forbid(this.#pause, run.actions.includes("pause") ? "" : isOpen(run) ? "Only a run that trains can be paused." : "This run has ended.")
    this.#delete.hidden = Boolean(run.deleted_at)
    forbid(this.#delete, run.actions.includes("delete") ? "" : "A run that is queued or live must be stopped before it can be deleted.")
    this.#restore.hidden = !run.actions.includes("restore")
    if (this.#error.dataset.text !== (run.error ?? "")) {
      this.#error.dataset.text = run.error ?? ""
      this.#error.replaceChildren(...(run.error ? [problem(run.error)] : []))
    }
  }

  /** The run was removed for good while this page was open. */
  gone() {
    this.#error.replaceChildren(problem("This run has been removed for good; what you see is its last state."))
  }

  async #change(change) {
    const run = await api.change(this.#run.id, change)
    store.apply("run", run)
  }

  async #trash() {
    const { id } = this.#run
    await trashRuns([id], () => go(`/runs/${id}`))
    if (store.get(id)?.deleted_at) go("/")
  }
}

function lineText(run) {
  const parts = [phaseText(run)]
  if (isLive(run)) parts.push(timeLeft(run.progress?.seconds_left))
  else if (run.epochs_done < run.config.epochs && run.status !== "queued") parts.push(`after ${run.epochs_done} of ${run.config.epochs} epochs`)
  if (run.recovering) parts.unshift("its worker was lost")
  if (run.attempt > 1) parts.push(`attempt ${run.attempt}`)
  if (run.deleted_at) parts.push("in the trash")
  return parts.filter(Boolean).join(", ")
}

function tagsOf(text) {
  return [...new Set(text.split(",").map((tag) => tag.trim()).filter(Boolean))]
}

function button(name, word, action) {
  const press = ({ currentTarget }) => currentTarget.ariaDisabled === "true" || Promise.resolve(action()).catch(toastError)
  return h("button", { type: "button", class: "button", onclick: press }, icon(name), word)
}

function forbid(element, why) {
  setAttribute(element, "aria-disabled", why ? "true" : null)
  setAttribute(element, "title", why || null)
}
