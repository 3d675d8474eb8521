import { h, setText } from "../core/dom.js"
import { plural } from "../core/format.js"
import { store } from "../core/store.js"
import { dialog } from "../ui/dialog.js"
import { rankRuns } from "../ui/steer.js"

const LIMIT = 1000

/** The small form in which runs get a priority. */
export function openPriority(ids) {
  const had = new Set(ids.map((id) => store.get(id)?.priority))
  const error = h("p", { class: "field-error", id: "priority-error", role: "alert" })
  const input = h("input", { class: "input", id: "new-priority", type: "number", min: -LIMIT, max: LIMIT, step: 1, required: true, "aria-describedby": "priority-what priority-error" })
  // Where all have one priority it is shown; unequal ones are not made equal by an unread default.
  if (had.size === 1 && !had.has(undefined)) input.value = [...had][0]
  const what = h("p", { class: "muted", id: "priority-what" }, "Of runs that wait, those with the greatest priority begin first; 0 is usual. What trains already goes on.")
  const form = h("form", { class: "dialog-form" }, h("label", { for: "new-priority" }, `Priority, −${LIMIT} to ${LIMIT}`), h("div", { class: "field-row" }, input, h("button", { class: "button button-main" }, "Set")), what, error)
  form.addEventListener("submit", async (event) => {
    event.preventDefault()
    try {
      await rankRuns(ids, Number(input.value))
      panel.close()
    } catch (problem) {
      setText(error, problem.fields?.[0]?.message ?? problem.message)
    }
  })
  const panel = dialog(`Priority of ${plural(ids.length, "run")}`, "dialog-small", form)
  panel.showModal()
  input.select()
}
