import { h, setAttribute, setText } from "../core/dom.js"
import { ago, duration, exactTime, percent, secondsBetween, timeLeft } from "../core/format.js"
import { glyph, sparkLine } from "../ui/glyph.js"
import { doneFraction, isLive, isOpen, phaseText, stateMark } from "../ui/state.js"
import { failedAuditMark } from "../ui/verdict.js"

/** One run as a row; at phone width, as a card. `update` changes what has changed and nothing else. */
export class RunRow {
  #check
  #name = h("a", { class: "run-link cut" })
  #tags = h("span", { class: "tags" })
  #state
  #bar = h("i", {})
  #barFrame = h("span", { class: "bar" })
  #error = h("span", { class: "row-error cut" })
  #audit = failedAuditMark()
  #epoch = h("td", { class: "col-epoch number", "data-label": "epochs", title: "Epochs done, of those asked for" })
  #test = h("td", { class: "col-test number", "data-label": "test, %" })
  #train = h("td", { class: "col-train number", "data-label": "train, %" })
  #time = h("td", { class: "col-time number" })

  constructor(run, choiceChanged) {
    this.run = run
    this.isDeleted = Boolean(run.deleted_at)
    this.spark = sparkLine(run)
    this.#state = stateMark(run)
    this.#check = h("input", { type: "checkbox", class: "check" })
    this.#check.addEventListener("change", () => (this.choose(this.#check.checked), choiceChanged()))
    this.#barFrame.append(this.#bar)
    this.#name.href = `/runs/${run.id}`
    const name = h("td", { class: "col-name" }, h("div", { class: "run-name" }, glyph(run), this.#name, this.#tags))
    const method = h("td", { class: "col-method" }, run.config.backprop)
    const dataset = h("td", { class: "col-dataset" }, run.config.dataset)
    const status = h("td", { class: "col-status" }, h("div", { class: "run-status" }, this.#state.element, this.#barFrame, this.#audit, this.#error))
    const created = h("td", { class: "col-created number muted" }, ago(run.created_at))
    const cells = [name, method, dataset, status, this.#epoch, this.#test, this.#train, h("td", { class: "col-spark" }, this.spark.element), this.#time, created]
    this.element = h("tr", { "data-run": run.id }, h("td", { class: "col-check" }, this.#check), cells)
    this.update(run)
  }

  get isChosen() {
    return this.#check.checked
  }

  choose(chosen) {
    this.#check.checked = chosen
    setAttribute(this.element, "data-chosen", chosen)
  }

  update(run) {
    this.run = run
    const live = isLive(run)
    setText(this.#name, run.name)
    setAttribute(this.#name, "title", run.name)
    setAttribute(this.#check, "aria-label", `Choose ${run.name}`)
    if (this.#tags.dataset.tags !== run.tags.join("\n")) {
      this.#tags.dataset.tags = run.tags.join("\n")
      this.#tags.replaceChildren(...run.tags.map((tag) => h("span", { class: "tag", title: tag }, tag)))
    }
    this.#state.update(run)
    this.#audit.hidden = run.audit !== "failed"
    this.#barFrame.hidden = !live
    this.#bar.style.transform = `scaleX(${doneFraction(run)})`
    setText(this.#error, run.error ?? "")
    setAttribute(this.#error, "title", run.error)
    setAttribute(this.#barFrame, "title", phaseText(run) || null)
    setText(this.#epoch, `${run.epochs_done}/${run.config.epochs}`)
    setText(this.#test, percent(run.latest?.test_accuracy))
    setText(this.#train, percent(run.latest?.train_accuracy))
    setText(this.#time, timeText(run))
    setAttribute(this.#time, "title", run.finished_at ? `Ended ${exactTime(run.finished_at)}` : null)
  }
}

function timeText(run) {
  if (run.status === "queued") return run.queue_position === 1 ? "next" : run.queue_position ? `${run.queue_position - 1} ahead` : ""
  if (isOpen(run)) return timeLeft(run.progress?.seconds_left) || "starting"
  return run.started_at ? duration(secondsBetween(run.started_at, run.finished_at)) : ""
}
