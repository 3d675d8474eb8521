import { api, isAbort } from "../core/api.js"
import { h, setAttribute } from "../core/dom.js"
import { glyph } from "../ui/glyph.js"
import { stateWord } from "../ui/state.js"

const MOST = 8 // suggestions
const QUIET = 150 // milliseconds after the last key

/** A field that finds runs by name (or by a filter) and adds the one that is picked. */
export function runPicker(signal, shownIds, add) {
  const list = h("ul", { class: "picker-list", id: "picker-list", role: "listbox", "aria-label": "Runs found", hidden: true })
  const input = h("input", { class: "input", placeholder: "Add a run…", role: "combobox", "aria-label": "Add a run", "aria-expanded": "false", "aria-controls": "picker-list", "aria-autocomplete": "list", autocomplete: "off", spellcheck: "false" })
  let found = []
  let current = -1
  let timer = 0
  let request = new AbortController() // the newest: an answer that was overtaken shows nothing

  const close = () => {
    list.hidden = true
    input.setAttribute("aria-expanded", "false")
    setAttribute(input, "aria-activedescendant", null)
  }
  const mark = (index) => {
    current = index
    list.querySelectorAll("[role=option]").forEach((item, place) => item.setAttribute("aria-selected", String(place === current)))
    setAttribute(input, "aria-activedescendant", current < 0 ? null : `picker-${current}`)
    list.children[current]?.scrollIntoView({ block: "nearest" })
  }
  const pick = (index) => {
    const run = found[index]
    if (!run) return
    add(run)
    input.value = ""
    close()
  }
  const show = (runs, message) => {
    found = runs
    const items = runs.map((run, index) => h("li", { id: `picker-${index}`, role: "option", "aria-selected": "false", onpointerdown: (event) => (event.preventDefault(), pick(index)) }, glyph(run), h("span", { class: "cut" }, run.name), h("span", { class: "muted small nowrap" }, `${run.config.dataset}, ${stateWord(run)}`)))
    list.replaceChildren(...(items.length ? items : [h("li", { class: "muted", role: "presentation" }, message)]))
    list.hidden = false
    input.setAttribute("aria-expanded", "true")
    mark(items.length ? 0 : -1)
  }
  const search = async () => {
    request.abort()
    request = new AbortController()
    try {
      const { runs } = await api.runs({ filter: input.value.trim(), limit: MOST + shownIds().length }, AbortSignal.any([signal, request.signal]))
      const more = runs.filter(({ id }) => !shownIds().includes(id)).slice(0, MOST)
      if (document.activeElement === input) show(more, "No other run matches.")
    } catch (error) {
      if (!isAbort(error)) show([], error.message)
    }
  }
  input.addEventListener("focus", search)
  input.addEventListener("blur", close)
  input.addEventListener("input", () => {
    clearTimeout(timer)
    timer = setTimeout(search, QUIET)
  })
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") list.hidden ? search() : mark(Math.min(current + 1, found.length - 1))
    else if (event.key === "ArrowUp") mark(Math.max(current - 1, 0))
    else if (event.key === "Enter") pick(current)
    else if (event.key === "Escape") close()
    else return
    event.preventDefault()
  })
  return h("div", { class: "picker" }, input, list)
}
