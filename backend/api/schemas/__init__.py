"""The JSON of the API: fractions, seconds, UTC; a number that is not finite is null and named in `non_finite`."""
