const FAINT = 0.15 // opacity of the other runs' lines

/** Lets one run stand out while a reader points at its name, so that lines of like colour are told apart. */
export class Emphasis {
  #plot
  #runId = null

  constructor(plot) {
    this.#plot = plot
  }

  /** Lets a run stand out for as long as the pointer or the focus is on an element. */
  offer(element, runId) {
    for (const type of ["pointerenter", "focus"]) element.addEventListener(type, () => this.show(runId))
    for (const type of ["pointerleave", "blur"]) element.addEventListener(type, () => this.show(null))
  }

  show(runId) {
    this.#runId = runId
    this.apply()
  }

  /** Without a drawing by Plotly, whose drawings undo it: each line's group carries its trace. */
  apply() {
    for (const group of this.#plot.querySelectorAll(".scatterlayer > .trace")) {
      const trace = group.__data__?.[0]?.trace
      if (!trace) continue
      const isFaint = this.#runId !== null && trace.meta.run_id !== this.#runId
      group.style.opacity = isFaint ? FAINT : trace.opacity
    }
  }
}
