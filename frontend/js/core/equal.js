/** Whether two values of a configuration are the same: numbers, words, or lists of them. */
export function isEqual(one, other) {
  return one === other || (Array.isArray(one) && JSON.stringify(one) === JSON.stringify(other))
}
