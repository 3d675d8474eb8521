import { FigureCard } from "../chart/figure.js"
import { h } from "../core/dom.js"
import { isLive } from "../ui/state.js"
import { section } from "./section.js"

const RENEW_EVERY = 5_000 // milliseconds; as often as a worker stores what it has seen
const AFTER_THE_END = 3_000 // milliseconds; then the last point of a process that has ended is stored too
const LEAD =
  "What the run's process takes of its machine, looked at every second: the line is the mean of the time that a point stands for, the shade reaches up to its greatest value. The axis leaves out the time in which no process trained; a grey band stands for it."
const LETTER = 6.5 // px, of a name above the plot
const NOTHING = "It is measured while a worker trains."
const MEMORY = [
  ["memory", "of the run"],
  ["host_free", "free on the host"],
]

/** Processor, memory and GPUs of a run over time. `told` hears of the most memory that was taken. */
export class SystemSection {
  element

  #run
  #cards
  #gpus = h("div", { class: "chart-pair", hidden: true })
  #told
  #renewed = Date.now()
  #timer = 0
  #signal

  constructor(run, signal, told) {
    this.#run = run
    this.#signal = signal
    this.#told = told
    const card = (title, measure, options = {}) => new FigureCard("system", title, signal, { query: () => ({ run: run.id, measure }), nothing: NOTHING, look: "chart-small", adapt: (data, layout) => fitNames(layout), taken: (figure) => this.#take(figure), ...options })
    const memory = card("Memory", undefined, { query: () => ({ run: run.id }), choice: { key: "measure", label: "Memory", options: MEMORY, chosen: "memory" } })
    const ofGpus = [card("GPU", "gpu"), card("GPU memory", "gpu_memory")]
    this.#cards = [card("CPU", "cpu"), memory, ...ofGpus]
    const [cpu] = this.#cards
    this.#gpus.append(...ofGpus.map(({ element }) => element))
    this.#gpus.hidden = (run.environment?.device ?? "cpu") === "cpu"
    this.element = section("system", "System", LEAD, h("div", { class: "chart-pair" }, cpu.element, memory.element), this.#gpus)
    signal.addEventListener("abort", () => clearTimeout(this.#timer))
  }

  update(run) {
    const hasEnded = isLive(this.#run) && !isLive(run)
    this.#run = { ...run }
    if (hasEnded) this.#timer = setTimeout(() => this.#renew(), AFTER_THE_END)
    else if (isLive(run) && Date.now() - this.#renewed >= RENEW_EVERY) this.#renew()
  }

  #renew() {
    if (this.#signal.aborted) return
    this.#renewed = Date.now()
    for (const card of this.#cards) card.renew()
  }

  #take({ layout }) {
    if (layout.meta.gpus.length) this.#gpus.hidden = false
    this.#told(layout.meta.peak_memory_bytes ?? 0)
  }
}

// The name of an attempt may reach to the next one's: where it can't it is the number alone, or nothing.
function fitNames({ annotations = [], width, margin, xaxis }) {
  const names = annotations.filter(({ name }) => name?.startsWith("attempt:"))
  const [start, end] = xaxis.range
  const place = (x) => ((x - start) / (end - start)) * (width - margin.l - margin.r)
  names.forEach((label, order) => {
    const room = place(names[order + 1]?.x ?? end) - place(label.x)
    const number = label.name.split(":")[1]
    if (label.text.length * LETTER > room) label.text = number
    label.visible = label.text.length * LETTER <= room
  })
}
