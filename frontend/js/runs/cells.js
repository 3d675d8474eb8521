import { api } from "../core/api.js"
import { h, setAttribute, setText } from "../core/dom.js"
import { ago, exactTime } from "../core/format.js"
import { store } from "../core/store.js"
import { editableText } from "../run/edit.js"
import { glyph, sparkLine } from "../ui/glyph.js"
import { icon } from "../ui/icons.js"
import { doneFraction, isLive, phaseText, stateMark } from "../ui/state.js"
import { toast, toastError } from "../ui/toast.js"
import { failedAuditMark } from "../ui/verdict.js"
import { openNotes } from "./tagging.js"

/** The cell of a column for one run: its element, and how it shows the run as it is now. */
export function makeCell(column, run) {
  const attributes = { class: `col-${column.name}${column.isNumber ? " number" : ""}`, "data-label": column.word, title: column.title }
  const special = { name: nameCell, status: statusCell, spark: sparkCell, created: createdCell }[column.name]
  if (special) return special(attributes, run)
  const element = h("td", attributes)
  const update = (next) => {
    const text = column.text(next)
    setText(element, text)
    if (column.name === "duration") setAttribute(element, "title", next.finished_at ? `Ended ${exactTime(next.finished_at)}` : null)
    else if (!column.title) setAttribute(element, "title", text.length > 12 ? text : null)
  }
  update(run)
  return { element, update }
}

function nameCell(attributes, run) {
  const link = h("a", { class: "run-link cut", href: `/runs/${run.id}`, dir: "auto" })
  const tags = h("span", { class: "tags" })
  const notes = h("button", { type: "button", class: "notes-mark", title: "Notes", onclick: () => openNotes(run.id).catch(toastError) }, icon("note"))
  const name = editableText(run.name, link, `Name of run ${run.id}`, 200, (next) => rename(store.get(run.id) ?? run, next))
  name.element.classList.add("row-edit")
  const element = h("td", attributes, h("div", { class: "run-name" }, glyph(run), name.element, tags, notes))
  const update = (next) => {
    name.show(next.name)
    setAttribute(link, "title", next.name)
    notes.hidden = !next.has_notes
    setAttribute(notes, "aria-label", `Notes of ${next.name}`)
    const shown = next.tags.join("\n")
    if (tags.dataset.tags === shown) return
    tags.dataset.tags = shown
    tags.replaceChildren(...next.tags.map((tag) => h("span", { class: "tag", dir: "auto", title: tag }, tag)))
  }
  update(run)
  return { element, update, edit: () => name.element.querySelector(".editable").click() }
}

async function rename({ id, name }, next) {
  store.apply("run", await api.change(id, { name: next }))
  toast("Renamed.", { undo: async () => store.apply("run", await api.change(id, { name })) })
}

function statusCell(attributes, run) {
  const state = stateMark(run)
  const bar = h("i", {})
  const frame = h("span", { class: "bar" }, bar)
  const audit = failedAuditMark()
  const error = h("span", { class: "row-error cut", dir: "auto" })
  const element = h("td", attributes, h("div", { class: "run-status" }, state.element, frame, audit, error))
  const update = (next) => {
    state.update(next)
    audit.hidden = next.audit !== "failed"
    frame.hidden = !isLive(next)
    bar.style.transform = `scaleX(${doneFraction(next)})`
    setAttribute(frame, "title", phaseText(next) || null)
    setText(error, next.error ?? "")
    setAttribute(error, "title", next.error)
  }
  update(run)
  return { element, update }
}

function sparkCell(attributes, run) {
  const spark = sparkLine(run)
  return { element: h("td", attributes, spark.element), update: () => {}, spark }
}

function createdCell(attributes, run) {
  return { element: h("td", attributes, ago(run.created_at)), update: () => {} }
}
