import { api } from "../core/api.js"
import { h, setText } from "../core/dom.js"
import { plural } from "../core/format.js"
import { store } from "../core/store.js"
import { dialog } from "../ui/dialog.js"
import { tagRuns } from "../ui/steer.js"
import { toast } from "../ui/toast.js"

/** The small form in which runs get tags, or lose some. */
export function openTagging(ids) {
  const known = [...new Set(ids.flatMap((id) => store.get(id)?.tags ?? []))].sort()
  const error = h("p", { class: "field-error", id: "tags-error", role: "alert" })
  const input = h("input", { class: "input", id: "new-tags", "aria-describedby": "tags-error", autocomplete: "off", maxlength: 500, placeholder: "paper, sweep 3" })
  const act = async (tags, isOn) => {
    try {
      await tagRuns(ids, tags, isOn)
      panel.close()
    } catch (problem) {
      setText(error, problem.fields?.[0]?.message ?? problem.message)
    }
  }
  const form = h("form", { class: "dialog-form" }, h("label", { for: "new-tags" }, "Put on, comma between"), h("div", { class: "field-row" }, input, h("button", { class: "button button-main" }, "Put on")), error)
  form.addEventListener("submit", (event) => {
    event.preventDefault()
    const tags = [...new Set(input.value.split(",").map((tag) => tag.trim()).filter(Boolean))]
    if (tags.length > 0) act(tags, true)
    else setText(error, "Write a tag first.")
  })
  const off = known.map((tag) => h("button", { type: "button", class: "button button-small", "aria-label": `Take off ${tag}`, onclick: () => act([tag], false) }, h("span", { class: "cut", dir: "auto" }, tag), " ×"))
  if (off.length > 0) form.append(h("p", { class: "muted" }, "Take off"), h("div", { class: "button-row" }, off))
  const panel = dialog(`Tags of ${plural(ids.length, "run")}`, "dialog-small", form)
  panel.showModal()
  input.focus()
}

/** The notes of one run, to be read and written. */
export async function openNotes(id) {
  const run = await api.run(id)
  const error = h("p", { class: "field-error", id: "notes-error", role: "alert" })
  const text = h("textarea", { class: "input notes-text", rows: 10, maxlength: 10_000, dir: "auto", "aria-label": "Notes", "aria-describedby": "notes-error" })
  text.value = run.notes
  const form = h("form", { class: "dialog-form" }, text, error, h("button", { class: "button button-main" }, "Save"))
  form.addEventListener("submit", async (event) => {
    event.preventDefault()
    try {
      store.apply("run", await api.change(id, { notes: text.value }))
      panel.close()
      toast("Notes saved.", { undo: async () => store.apply("run", await api.change(id, { notes: run.notes })) })
    } catch (problem) {
      setText(error, problem.message)
    }
  })
  const panel = dialog(`Notes of run ${id}`, "dialog-medium", form)
  panel.showModal()
}
