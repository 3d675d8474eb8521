import { words } from "../core/format.js"

const METRICS = ["test_accuracy", "train_accuracy", "test_cost", "train_cost", "epoch_seconds", "images_per_second"]
const OF_RUN = ["epochs_done", "seconds"]

/**
 * What a chart of runs can show, in groups `[title, [[name, word], …]]`: first the fields that differ. With
 * `onlyNumbers` fields that are words are left out.
 */
export function quantities({ differing, same, runs, epoch }, onlyNumbers = false) {
  const isNumber = (name) => typeof (name in same ? same[name] : runs.find(({ differs }) => name in differs)?.differs[name]) === "number"
  const fields = (names) => names.filter((name) => !onlyNumbers || isNumber(name)).map((name) => [name, words(name)])
  const results = (which) => METRICS.map((name) => [`${which}_${name}`, quantityWord(`${which}_${name}`, epoch)])
  const groups = [
    ["What differs", fields(differing)],
    ["Last value", results("last")],
    ["Best value", results("best")],
    [`At epoch ${epoch ?? "–"}`, results("at")],
    ["The run", OF_RUN.map((name) => [name, words(name)])],
    ["Equal in all", fields(Object.keys(same))],
  ]
  return groups.filter(([, some]) => some.length > 0)
}

/** "test accuracy at epoch 24" for `at_test_accuracy`. */
export function quantityWord(name, epoch) {
  return name.startsWith("at_") ? `${words(name.slice(3))} at epoch ${epoch ?? "–"}` : words(name)
}
