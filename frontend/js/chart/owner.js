/** Whose a trace is: a run's id or a group's key, as text; "" of what is neither's. */
export function ownerOf(meta) {
  return String(meta?.run_id ?? meta?.group ?? "")
}

/** The line that a trace belongs to, as "7:test_cost": itself, its band, its members, its marks. */
export function lineOf(meta) {
  return `${ownerOf(meta)}:${meta.metric ?? meta.non_finite_of ?? meta.band_of ?? meta.member_of ?? meta.raw_of}`
}
