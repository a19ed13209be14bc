package baseline

// ExaqLine returns a and b of EXAQ's rule for codes of so many bits: rows of scores with deviation σ, in natural units,
// lose least at the clip value a·σ + b. Source and departures: exaqClip.
func ExaqLine(bits int) (a, b float64) {
	x, y := exaqLine(bits)
	return float64(x) / 1000, float64(y) / 1000
}
