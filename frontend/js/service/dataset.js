import { api } from "../core/api.js"
import { h, setText } from "../core/dom.js"
import { count, plural } from "../core/format.js"
import { icon } from "../ui/icons.js"
import { problem } from "../ui/problem.js"
import { toastError } from "../ui/toast.js"

const MEGABYTE = 1e6

/** A data set as a card: whether it is here, how a download goes on, where its files belong. */
export class DatasetCard {
  element
  isReady
  isLoading

  #mark = h("span", { class: "state", role: "status" })
  #place = h("div", { class: "dataset-place" })
  #bar = h("i", {})
  #barFrame = h("span", { class: "bar", role: "progressbar", "aria-label": "Downloaded", "aria-valuemin": 0, "aria-valuemax": 100, hidden: true })
  #progress = h("p", { class: "muted small dataset-progress" })
  #error = h("div", {})
  #fetch
  #look
  #shown = ""

  /** `asked` is called once a download was asked for, `look` when its pixels are to be shown. */
  constructor(dataset, asked, look) {
    const { name, title, train_images: train, test_images: test, height, width, channels } = dataset
    this.title = title
    this.#barFrame.append(this.#bar)
    const press = () => api.download(name).then(asked).catch(toastError)
    this.#fetch = h("button", { type: "button", class: "button", onclick: press }, icon("fetch"), "Download")
    this.#look = h("button", { type: "button", class: "button", "aria-label": `Show the pixels of ${title}`, onclick: look }, "Show pixels")
    const facts = `${count(train)} training and ${count(test)} test images, ${height}\u00a0×\u00a0${width}, ${channels === 1 ? "grey" : "colour"}, ten classes`
    this.element = h(
      "section",
      { class: "card dataset", "data-testid": `dataset-${name}` },
      h("div", { class: "card-head" }, h("h2", {}, title), this.#mark),
      h("div", { class: "card-body" }, h("p", { class: "muted" }, facts), h("p", {}, "In configurations and filters: ", h("code", {}, name)), this.#place, this.#error, this.#barFrame, this.#progress, h("div", { class: "dataset-actions" }, this.#look, this.#fetch)),
    )
    this.update(dataset)
  }

  /** Shows the data set as it is now; what has not changed stays untouched. */
  update(dataset) {
    const { ready, download } = dataset
    this.isReady = ready
    this.isLoading = !ready && ["queued", "running"].includes(download?.state)
    const failed = !ready && download?.state === "failed"
    const [name, tone, word] = ready ? ["tick", "good", "ready"] : this.isLoading ? ["dot", "live", download.state === "queued" ? "waiting for a worker" : "downloading"] : failed ? ["cross", "bad", "download failed"] : ["warning", "warn", "missing"]
    if (this.#shown !== word + dataset.missing.length) {
      this.#shown = word + dataset.missing.length
      this.#mark.dataset.tone = tone
      this.#mark.replaceChildren(icon(name), h("span", {}, word))
      this.#place.replaceChildren(whereTo(dataset))
      this.#error.replaceChildren(...(failed ? [problem(download.error ?? "The download failed.")] : []))
    }
    this.#look.hidden = !ready
    this.#fetch.hidden = ready || this.isLoading
    this.#barFrame.hidden = !this.isLoading
    setText(this.#progress, this.isLoading ? progressText(download) : "")
    const done = this.isLoading ? fraction(download) : 0
    this.#bar.style.transform = `scaleX(${done})`
    this.#barFrame.setAttribute("aria-valuenow", Math.round(100 * done))
  }
}

function fraction({ number, files, bytes_done: done, bytes_total: total }) {
  return Math.min(1, (Math.max(0, number - 1) + (total ? done / total : 0)) / Math.max(1, files))
}

function progressText({ state, file, number, files, bytes_done: done, bytes_total: total }) {
  if (state === "queued" || !file) return "A worker begins as soon as one is free."
  const bytes = total ? `${(done / MEGABYTE).toFixed(1)} of ${(total / MEGABYTE).toFixed(1)} MB` : `${(done / MEGABYTE).toFixed(1)} MB`
  return `File ${number} of ${files}, ${file}: ${bytes}`
}

function whereTo({ ready, folder, missing }) {
  if (folder === null) return h("p", { class: "muted" }, "Comes with the program.")
  const place = ["in ", h("code", {}, folder), " of the data folder"]
  if (ready) return h("p", { class: "muted" }, "Lies ", ...place, ".")
  const list = h("ul", {}, missing.map((file) => h("li", {}, h("code", {}, file))))
  return h("div", { class: "missing" }, h("p", {}, `A download, or the first run that needs it, fetches ${plural(missing.length, "file")}. Without a network, put what is missing `, ...place, ":"), list)
}
