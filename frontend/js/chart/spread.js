/** The positions, moved as little as keeps neighbours `gap` apart, in unchanged order and within `low` and `high`; `frontend/labels.py` has the same without limits. */
export function spread(positions, gap, low = -Infinity, high = Infinity) {
  const order = positions.map((_, place) => place).sort((a, b) => positions[a] - positions[b])
  const groups = []
  for (const place of order) {
    groups.push({ members: [place], middle: positions[place] })
    while (groups.length > 1) {
      const [before, last] = groups.slice(-2)
      if (last.middle - before.middle >= (gap * (before.members.length + last.members.length)) / 2) break
      groups.pop()
      before.members.push(...last.members)
      before.middle = before.members.reduce((sum, member) => sum + positions[member], 0) / before.members.length
    }
  }
  const result = [...positions]
  for (const { members, middle } of groups) {
    members.forEach((place, rank) => (result[place] = middle + gap * (rank - (members.length - 1) / 2)))
  }
  // What would stand outside is pushed back in, and its neighbours with it.
  const limit = (step, bound, sign) => {
    let edge = bound
    for (const place of step) {
      if (sign * (result[place] - edge) < 0) result[place] = edge
      edge = result[place] + sign * gap
    }
  }
  limit(order, low, 1)
  limit([...order].reverse(), high, -1)
  return result
}
