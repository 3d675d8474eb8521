/** Which runs are chosen, whether they are seen or not. */
export class Choice {
  ids = new Set()

  #last = null // the one that was chosen last: from it a whole part of the table can be chosen

  /** Chooses one of the runs of the table, or with `toHere` all from the last one to it. */
  set(all, id, isChosen, toHere = false) {
    const places = [all.indexOf(toHere && this.#last !== null ? this.#last : id), all.indexOf(id)].sort((a, b) => a - b)
    for (const one of places[0] < 0 ? [id] : all.slice(places[0], places[1] + 1)) {
      if (isChosen) this.ids.add(one)
      else this.ids.delete(one)
    }
    this.#last = id
  }

  replace(ids) {
    this.ids = new Set(ids)
  }

  remove(gone) {
    for (const id of gone) this.ids.delete(id)
  }
}
