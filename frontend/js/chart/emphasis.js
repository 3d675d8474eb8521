import { ownerOf } from "./owner.js"

const FAINT = 0.15 // opacity of the other runs' lines

/** Lets one run or group stand out while a reader points at its name, so that lines of like colour are told apart. */
export class Emphasis {
  #plot
  #owner = null

  constructor(plot) {
    this.#plot = plot
  }

  /** Lets a run or group stand out for as long as the pointer or the focus is on an element. */
  offer(element, owner) {
    for (const type of ["pointerenter", "focus"]) element.addEventListener(type, () => this.show(owner))
    for (const type of ["pointerleave", "blur"]) element.addEventListener(type, () => this.show(null))
  }

  show(owner) {
    this.#owner = owner === null ? null : String(owner)
    this.apply()
  }

  /** Without a drawing by Plotly, whose drawings undo it: each line's group carries its trace. */
  apply() {
    for (const group of this.#plot.querySelectorAll(".scatterlayer > .trace")) {
      const trace = group.__data__?.[0]?.trace
      if (!trace) continue
      const isFaint = this.#owner !== null && ownerOf(trace.meta) !== this.#owner
      group.style.opacity = isFaint ? FAINT * trace.opacity : trace.opacity
    }
  }
}
